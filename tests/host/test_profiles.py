# SPDX-License-Identifier: MIT
"""The tables are complete, and what they do not allow is refused by type."""

from collections.abc import Iterator
from typing import get_args

import pytest

from host.effects import Complete, Report, StopWorker
from host.events import PacketRefused
from host.profiles import AGREED, FRESH, PROFILES
from host.vsp import Phase
from host.vsp.inputs import (
    ChannelClosed,
    ChannelOpened,
    EjectRequested,
    Input,
    PacketReceived,
    RescindRequested,
)
from host.vsp.replies import (
    refuse_direction,
    refuse_out_of_order,
    refuse_unsupported,
)
from host.vsp.state import FUNCTION_MOVES, FunctionMove, FunctionPhase
from protocol.errors import LocalProtocolError
from protocol.ids import SlotNumber, TransactionId
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciMessage
from tests.host.vsp_bench import (
    BAD_DATA,
    INVALID_DEVICE_STATE,
    NOT_SUPPORTED,
    VspBench,
    in_phase,
    padded,
)

READ_PHASES = (Phase.FRESH, Phase.READY, Phase.IN_D0)
REFUSALS = {
    refuse_out_of_order: INVALID_DEVICE_STATE,
    refuse_unsupported: NOT_SUPPORTED,
    refuse_direction: BAD_DATA,
}


@pytest.mark.parametrize("name", PROFILES)
def test_every_message_type_stands_in_every_row(name: str) -> None:
    profile = PROFILES[name]
    assert set(profile.packets) == set(READ_PHASES)
    for row in profile.packets.values():
        assert set(row) == {int(code) for code in MessageType}
    assert set(profile.unknown) == set(profile.damaged) == set(READ_PHASES)


@pytest.mark.parametrize("name", PROFILES)
def test_every_input_but_a_packet_has_a_column(name: str) -> None:
    listed = set(PROFILES[name].inputs)
    assert listed == set(get_args(Input)) - {PacketReceived}


def refused_cells() -> Iterator[tuple[str, Phase, int, int]]:
    for name, profile in PROFILES.items():
        for phase, row in profile.packets.items():
            for code, handler in row.items():
                if handler in REFUSALS:
                    yield name, phase, code, REFUSALS[handler]


def test_refused_cells_answer_with_their_status_and_change_nothing() -> None:
    for name, phase, code, status in refused_cells():
        bench = VspBench(name)
        bench.state = before = in_phase(bench.state, phase)
        assert bench.status(PciMessage(code)) == status
        assert bench.state == before
        (event,) = bench.events()
        assert isinstance(event, PacketRefused)
        assert event.status == status
        bench.tell(PciMessage(code))
        assert bench.event_names() == ["PacketRefused"]


@pytest.mark.parametrize("phase", [Phase.CLOSED, Phase.STOPPED, Phase.GONE])
@pytest.mark.parametrize("name", PROFILES)
def test_a_packet_from_a_channel_that_is_not_read_is_the_owners_mistake(
    name: str, phase: Phase
) -> None:
    bench = VspBench(name)
    bench.state = in_phase(bench.state, phase)
    with pytest.raises(LocalProtocolError, match=phase.name):
        bench.tell(PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS))


def inputs_by_hand() -> tuple[Input, ...]:
    return ChannelOpened(), ChannelClosed(), EjectRequested(SlotNumber(0)), RescindRequested()


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("name", PROFILES)
def test_an_input_without_a_cell_is_refused_and_one_with_a_cell_is_not(
    name: str, phase: Phase
) -> None:
    for input_ in inputs_by_hand():
        bench = VspBench(name)
        bench.state = before = in_phase(bench.state, phase)
        if phase in PROFILES[name].inputs[type(input_)]:
            bench.feed(input_)
            continue
        with pytest.raises(LocalProtocolError, match=phase.name):
            bench.feed(input_)
        assert bench.state == before


def test_every_function_phase_takes_resources_and_gives_them_back() -> None:
    for phase in FunctionPhase:
        assert (phase, FunctionMove.ASSIGN) in FUNCTION_MOVES
        assert (phase, FunctionMove.RELEASE) in FUNCTION_MOVES


def test_a_function_that_is_being_ejected_is_not_ejected_again() -> None:
    moves = {phase for phase, move in FUNCTION_MOVES if move is FunctionMove.EJECT}
    assert moves == {FunctionPhase.PRESENT, FunctionPhase.ASSIGNED}


@pytest.mark.parametrize("kind", [kind for kind in range(14) if kind != VM_PKT_DATA_INBAND])
def test_hyperv_refuses_ring_packets_that_are_no_in_band_data(kind: int) -> None:
    bench = VspBench().negotiated()
    payload = padded(PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS))
    bench.feed(PacketReceived(kind, TransactionId(5), True, payload))
    assert bench.event_names() == ["PacketRefused"]


@pytest.mark.parametrize("phase", [FRESH, *AGREED])
def test_openvmm_stops_at_a_completion_packet(phase: Phase) -> None:
    bench = VspBench("openvmm")
    bench.state = in_phase(bench.state, phase)
    bench.feed(PacketReceived(VM_PKT_COMP, TransactionId(1), False, bytes(8)))
    assert bench.state.phase is Phase.STOPPED
    assert [type(effect) for effect in bench.effects] == [StopWorker, Report]


def test_a_message_type_without_a_name_is_bad_data_and_the_channel_lives() -> None:
    for name in PROFILES:
        bench = VspBench(name).negotiated("1.3")
        assert bench.status(PciMessage(0x4249_0100)) == BAD_DATA
        assert bench.state.phase is Phase.READY
        bench.ask(PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS))
        assert [e for e in bench.effects if isinstance(e, Complete)]
