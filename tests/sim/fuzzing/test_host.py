# SPDX-License-Identifier: MIT
"""A hundred thousand packets that are not right, or not now: the host lives through all of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from operator import attrgetter, methodcaller

import pytest
from msgspec.structs import replace

from host.channel_worker import ChannelWorker
from host.effects import StopWorker
from host.events import PacketRefused
from host.gpadls import GpadlTable
from host.profiles import vsp_of
from host.vsp import FunctionPhase, Phase, Vsp, VspState, conversation, initial_state, replies
from host.vsp.inputs import PacketReceived
from host.vsp.rules import Outcome, Rules
from protocol.ids import TransactionId
from protocol.ring import Packet
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciBusD0Entry, PciChildMessage, PciReadBlock
from sim.fuzzing.campaign import PACKETS_A_PART, campaign, play
from sim.fuzzing.dice import seeded
from sim.fuzzing.host_answers import Told, certainly_wrong, unanswered
from sim.fuzzing.host_laws import PACKETS_WAITING_MAX, profile_complaints, state_complaints
from sim.fuzzing.host_life import HostLife
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.recorded import recorded
from sim.fuzzing.telling import Broken
from tests.host.vsp_bench import facts
from tests.sim.fuzzing.figures import PARTS, assert_as_documented, figures

SEED = 0


@pytest.mark.parametrize("part", range(PARTS))
def test_a_host_lives_through_what_no_guest_should_write(part: int) -> None:
    tally = campaign("host", SEED, part=part)
    assert tally.survived >= PACKETS_A_PART, tally
    assert not tally.ended_by, tally  # nothing ends a host
    assert {"administrator:", "forge:", "read", "reopen", "wait"} <= set(tally.counts)
    assert_as_documented({"lives": tally.lives}, figures("host"))


def test_a_packet_that_a_stopped_host_leaves_unread_is_not_survived() -> None:
    life = HostLife(seeded(SEED, 1))
    life.start()
    life.write_all([RawPacket(bytes(8), packet_type=9)] * 2)  # it stops at the first
    assert (life.trail.packets, life.trail.survived) == (2, 1)
    life.go_on()
    assert life.trail.survived == 1  # what a driver sends is none either


def test_the_same_seed_and_number_are_the_same_life() -> None:
    once, again = play("host", SEED, 7), play("host", SEED, 7)
    assert (once.packets, once.counts, once.steps) == (again.packets, again.counts, again.steps)
    assert play("host", SEED + 1, 7).steps != once.steps


@pytest.fixture
def forgetful() -> Iterator[None]:
    """A host that remembers no answer of another test, and none of this one afterwards."""
    vsp_of.cache_clear()
    yield
    vsp_of.cache_clear()


def broken_lives() -> Iterator[str]:
    """What the first lives that end badly say."""
    for life in range(40):
        try:
            play("host", SEED, life)
        except Broken as broken:
            yield str(broken)


@pytest.mark.usefixtures("forgetful")
def test_a_host_that_refuses_in_silence_is_found_and_told_with_its_replay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def silent(
        _rules: Rules, state: VspState, packet: PacketReceived, status: int, _: str
    ) -> Outcome:
        return state, replies.reply_status(packet, status)

    monkeypatch.setattr(replies, "refuse", silent)
    told = next(broken_lives())
    assert "nobody was told that it was refused" in told
    assert "python -m benchmarks.fuzz host --seed 0 --life " in told
    assert re.search(r"packet \d+: type \d+ flags", told)


@pytest.mark.usefixtures("forgetful")
def test_a_host_that_reads_on_without_room_for_its_answers_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    serve_packet, ring = methodcaller("_serve_packet"), attrgetter("_in")

    def read_on(worker: ChannelWorker) -> None:
        serve_packet(worker)
        if not ring(worker).empty():
            worker.signalled()

    recorded("guest-to-host")  # by a host that waits
    monkeypatch.setattr(ChannelWorker, "_take_turn", read_on)
    assert f"packets where {PACKETS_WAITING_MAX} may be" in "".join(broken_lives())


@pytest.mark.usefixtures("forgetful")
def test_a_host_that_keeps_the_lists_of_a_guest_that_is_gone_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(GpadlTable, "clear", lambda _: None)
    assert "memory lists where" in "".join(broken_lives())


@pytest.mark.usefixtures("forgetful")
def test_a_host_that_falls_over_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def fall(*_: object) -> Outcome:
        raise KeyError("slot")

    monkeypatch.setattr(Vsp, "_packet", fall)
    assert "KeyError('slot')" in next(broken_lives())


@pytest.mark.usefixtures("forgetful")
def test_a_window_that_outlives_its_channel_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "UnmapConfigWindow", lambda: StopWorker(""))
    assert "the configuration window answers" in "".join(broken_lives())


ASSIGNED = replace(
    initial_state((facts(0), facts(1))), phase=Phase.IN_D0, version=0x10004, powered=True
)
UNLAWFUL = {
    "without a version": replace(ASSIGNED, version=0),
    "in D0 without power": replace(ASSIGNED, powered=False),
    "powered and not in D0": replace(ASSIGNED, phase=Phase.READY),
    "not in order": replace(ASSIGNED, functions=ASSIGNED.functions[::-1]),
    "a rescind is due": replace(ASSIGNED, rescind_armed=True),
    "something is left": replace(ASSIGNED, phase=Phase.GONE),
    "of a guest before": replace(ASSIGNED, phase=Phase.FRESH),
    "resources that nobody assigned": replace(
        ASSIGNED, functions=(replace(ASSIGNED.functions[0], resources_set=True),)
    ),
}


@pytest.mark.parametrize(("what", "state"), UNLAWFUL.items(), ids=list(UNLAWFUL))
def test_an_unlawful_state_is_told(what: str, state: VspState) -> None:
    assert any(what in told for told in state_complaints(state))


def test_a_lawful_state_is_not() -> None:
    assert not list(state_complaints(ASSIGNED))
    assert not list(profile_complaints("hyperv", ASSIGNED))


def test_a_host_without_ejects_has_none() -> None:
    (first, _) = ASSIGNED.functions
    ejecting = replace(ASSIGNED, functions=(replace(first, phase=FunctionPhase.EJECTING),))
    assert list(profile_complaints("openvmm", ejecting))
    assert not list(profile_complaints("hyperv", ejecting))


def received(payload: bytes, packet_type: int = VM_PKT_DATA_INBAND) -> PacketReceived:
    return PacketReceived(packet_type, TransactionId(1), True, payload)


WRONG = {
    "asked nothing": received(PciReadBlock().build(), VM_PKT_COMP),
    "too short for a type": received(b"\x04\0"),
    "nobody knows": received(bytes(8)),
    "only a host sends": received(PciChildMessage(MessageType.PCI_EJECT).build()),
    "too short for its message": received(PciBusD0Entry().build()[:8]),
    "without a function": received(PciReadBlock(wslot=7).build()),
}


@pytest.mark.parametrize(("what", "packet"), WRONG.items(), ids=list(WRONG))
def test_what_is_certainly_wrong_is_known_without_asking_the_host(
    what: str, packet: PacketReceived
) -> None:
    why = certainly_wrong("hyperv", ASSIGNED, packet)
    assert why is not None
    assert what in why


def test_among_many_packets_none_is_refused_in_silence() -> None:
    wrong = list(WRONG.values())
    refused = [PacketRefused("nvme0", "", 0, "")] * len(wrong)
    failures = [Packet(VM_PKT_COMP, 0, TransactionId(1), b"\xff" * 4, 24)] * len(wrong)

    def told(events: Collection[object], answers: Collection[Packet]) -> list[str]:
        return unanswered(Told("hyperv", ASSIGNED, ASSIGNED, events, answers), wrong)

    assert not told(refused, failures)
    assert told(refused[1:], failures)
    assert told(refused, failures[1:])


def test_what_may_be_right_is_not_certainly_wrong() -> None:
    assert certainly_wrong("hyperv", ASSIGNED, received(PciReadBlock(wslot=1).build())) is None
