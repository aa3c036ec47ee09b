# SPDX-License-Identifier: MIT
"""The VSP is a function, and no packet brings it into a state it may not be in."""

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from host.effects import Complete
from host.profiles import PROFILES
from host.vsp import Phase, Vsp, VspState
from host.vsp.inputs import (
    BlockInvalidated,
    ChannelClosed,
    ChannelOpened,
    EjectRequested,
    Input,
    InvalidationDue,
    PacketReceived,
    RelationsChanged,
    TimerExpired,
)
from host.vsp.removal import EJECT_TIMER
from host.vsp.rules import Outcome
from host.vsp.state import ASSIGNED_PHASES, EJECTING_PHASES
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber, TransactionId
from protocol.vpci import (
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciChildMessage,
    PciCreateInterrupt3,
    PciEjectResponse,
    PciMessage,
    PciReadBlock,
    PciResourcesAssigned,
    PciResourcesAssigned2,
    PciVersionRequest,
    PciWriteBlock,
)
from tests.host.vsp_bench import WINDOW, VspBench, facts, padded

SLOTS = st.sampled_from([SlotNumber(0), SlotNumber(1), SlotNumber(0x40)])
TYPES = st.sampled_from([int(code) for code in MessageType])

well_formed = st.one_of(
    st.builds(PciVersionRequest, protocol_version=st.integers(0x10000, 0x10007)),
    st.builds(PciMessage, TYPES),
    st.builds(PciChildMessage, TYPES, SLOTS),
    st.builds(PciBusD0Entry, mmio_base=st.sampled_from([0, WINDOW, WINDOW + 4])),
    st.builds(PciResourcesAssigned, wslot=SLOTS),
    st.builds(PciResourcesAssigned2, wslot=SLOTS),
    st.builds(PciEjectResponse, wslot=SLOTS),
    st.builds(PciReadBlock, wslot=SLOTS, bytes_requested=st.integers(0, 130)),
    st.builds(
        lambda slot, data: PciWriteBlock(wslot=slot, byte_count=len(data), bytes=data),
        SLOTS,
        st.binary(max_size=130),
    ),
    st.builds(
        lambda slot, vector, count, vps: PciCreateInterrupt3(
            wslot=slot, int_desc=HvMsiDesc3(vector, 0, 0, count, vps)
        ),
        SLOTS,
        st.integers(0, 300),
        st.integers(0, 40),
        st.integers(0, 40),
    ),
).map(padded)

random_bytes = st.builds(
    lambda code, rest: code.to_bytes(4, "little") + rest, TYPES, st.binary(max_size=220)
)
damaged = st.builds(lambda payload, cut: payload[:cut], well_formed, st.integers(0, 100))
packets = st.builds(
    PacketReceived,
    st.sampled_from([6, 6, 6, 6, 7, 9, 11]),
    st.integers(0, 1 << 64).map(TransactionId),
    st.booleans(),
    st.one_of(well_formed, random_bytes, damaged),
)
others = st.one_of(
    st.just(ChannelOpened()),
    st.just(ChannelClosed()),
    st.builds(EjectRequested, SLOTS),
    st.builds(BlockInvalidated, SLOTS, st.integers(1, 8)),
    st.builds(InvalidationDue, SLOTS),
    st.builds(lambda slot: TimerExpired(EJECT_TIMER, slot), SLOTS),
    st.builds(
        lambda slots: RelationsChanged(tuple(facts(slot) for slot in sorted(slots))),
        st.sets(SLOTS, max_size=3),
    ),
)
stories = st.lists(st.one_of(packets, packets, others), max_size=25)
names = st.sampled_from(sorted(PROFILES))


def check_lawful(state: VspState) -> None:
    """What must hold in every state the VSP can be in."""
    slots = [function.facts.wslot for function in state.functions]
    assert slots == sorted(set(slots))
    assert (state.version != 0) or state.phase not in (Phase.READY, Phase.IN_D0)
    assert state.powered or state.phase is not Phase.IN_D0
    assert not (state.rescind_armed and state.functions)
    assert state.phase is not Phase.GONE or not state.functions
    for function in state.functions:
        entries = [(entry.address, entry.data) for entry in function.interrupts]
        assert len(set(entries)) == len(entries)
    hash(state)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(names, stories)
def test_no_story_crashes_it_or_leaves_an_unlawful_state(name: str, story: list[Input]) -> None:
    bench = VspBench(name, functions=(facts(0), facts(1)) if name == "hyperv" else (facts(0),))
    for input_ in [ChannelOpened(), *story]:
        before = bench.state
        try:
            effects = bench.feed(input_)
        except LocalProtocolError:
            assert bench.state == before  # not allowed now: nothing has happened
            continue
        check_lawful(bench.state)
        if isinstance(input_, PacketReceived):
            completions = [effect for effect in effects if isinstance(effect, Complete)]
            assert len(completions) <= input_.wants_completion
            assert all(c.transaction_id == input_.transaction_id for c in completions)


@settings(max_examples=150, derandomize=True, deadline=None)
@given(names, stories)
def test_a_remembered_answer_is_the_one_worked_out_anew(name: str, story: list[Input]) -> None:
    bench = VspBench(name)
    bench.vsp.begin_life()
    step = bench.vsp.begin_life()
    for input_ in [ChannelOpened(), *story]:
        state = bench.state
        try:
            once = step(state, input_)
        except LocalProtocolError:
            continue
        assert bench.vsp.answer(replace(state), input_) == once
        assert step(replace(state), input_) == once
        assert hash(once[0]) == hash(bench.vsp.answer(state, input_)[0])
        bench.feed(input_)


def test_a_bus_that_lives_once_remembers_nothing_and_the_next_life_everything() -> None:
    bench = VspBench()
    worked_out: list[Input] = []

    class Counting(Vsp):
        def answer(self, state: VspState, input_: Input) -> Outcome:
            worked_out.append(input_)
            return super().answer(state, input_)

    vsp = Counting(bench.vsp.profile, bench.vsp.rules)
    story: list[Input] = [ChannelOpened(), ChannelClosed()]
    for life in (1, 2, 3):
        step, state = vsp.begin_life(), bench.state
        for input_ in (*story, *story):
            state, _ = step(state, input_)
        assert len(worked_out) == {1: 4, 2: 6, 3: 6}[life]


def test_ejecting_and_assigned_are_told_apart_in_every_phase() -> None:
    bench = VspBench().assigned()
    bench.feed(EjectRequested(SlotNumber(0)))
    phase = bench.state.functions[0].phase
    assert phase in EJECTING_PHASES
    assert phase in ASSIGNED_PHASES
