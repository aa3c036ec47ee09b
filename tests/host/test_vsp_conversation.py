# SPDX-License-Identifier: MIT
"""Negotiation, relations and the bus's power, on profile ``hyperv``."""

import pytest

from host.effects import Complete, MapConfigWindow, SendPacket, UnmapConfigWindow
from host.events import BusRelationsSent
from host.vsp import Phase
from host.vsp.inputs import ChannelClosed, RelationsChanged, RingBroken
from host.vsp.leftovers import failure
from protocol.ids import Gpa
from protocol.openvmm import OvQueryProtocolVersionReply
from protocol.versions import vpci_dialect
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciBusRelations,
    PciBusRelations2,
    PciChildMessage,
    PciMessage,
    PciQResReqResponse,
    PciVersionRequest,
)
from tests.host.vsp_bench import (
    BAD_DATA,
    BAR_64,
    INVALID_DEVICE_STATE,
    REVISION_MISMATCH,
    WINDOW,
    VspBench,
    facts,
)

M = MessageType
QUERY = PciMessage(M.PCI_QUERY_BUS_RELATIONS)
VERSIONS = ("1.1", "1.2", "1.3", "1.4")


@pytest.mark.parametrize("version", VERSIONS)
def test_an_arrival_goes_through_at_every_version(version: str) -> None:
    bench = VspBench().assigned(version)
    assert bench.state.phase is Phase.IN_D0
    assert bench.event_names() == ["ResourcesAssigned"]


@pytest.mark.wire_note("2.3b", "2.0c")
@pytest.mark.parametrize("version", VERSIONS)
def test_relations_come_in_the_form_of_the_version(version: str) -> None:
    bench = VspBench(functions=(facts(numa_node=3),)).negotiated(version)
    bench.tell(QUERY)
    packet = bench.only(SendPacket)
    record = vpci_dialect(version).bus_relations
    relations = record.parse(packet.payload)
    assert relations.device_count == 1
    (entry,) = relations.func
    assert (entry.v_id, entry.d_id, entry.ser, entry.win_slot) == (0x144D, 0xA80A, 7, 0)
    expected = {PciBusRelations: 28, PciBusRelations2: 36}
    assert len(packet.payload) == expected[record]


def test_a_numa_node_is_flagged_only_where_the_host_gives_one() -> None:
    bench = VspBench(functions=(facts(0), facts(1, numa_node=0))).negotiated("1.3")
    bench.tell(QUERY)
    packet = bench.only(SendPacket)
    entries = PciBusRelations2.parse(packet.payload).func
    assert [(entry.flags, entry.virtual_numa_node) for entry in entries] == [(0, 0), (1, 0)]


def test_a_refused_version_leaves_the_guest_free_to_ask_for_another() -> None:
    bench = VspBench(refused_versions=["1.4"]).open()
    answer = bench.ask(PciVersionRequest(protocol_version=0x10004))
    assert answer is not None
    assert OvQueryProtocolVersionReply.parse(answer) == OvQueryProtocolVersionReply(
        REVISION_MISMATCH, 0x10003
    )
    assert bench.state.phase is Phase.FRESH
    assert bench.status(PciVersionRequest(protocol_version=0x10003)) == 0


def test_another_refusal_status_can_be_set() -> None:
    bench = VspBench(refused_versions=["1.1"], version_refusal_status=0xC000_0001).open()
    assert bench.status(PciVersionRequest(protocol_version=0x10001)) == 0xC000_0001


def test_a_version_query_without_a_completion_advances_in_silence() -> None:
    bench = VspBench().open()
    bench.tell(PciVersionRequest(protocol_version=0x10002))
    assert (bench.state.phase, bench.state.version) == (Phase.READY, 0x10002)


def test_a_second_version_query_is_out_of_order() -> None:
    bench = VspBench().negotiated()
    assert bench.status(PciVersionRequest(protocol_version=0x10001)) == INVALID_DEVICE_STATE
    assert bench.state.version == 0x10004


def test_query_relations_is_completed_before_the_list_if_asked() -> None:
    bench = VspBench().negotiated()
    assert bench.status(QUERY) == 0
    kinds = [type(e) for e in bench.effects if isinstance(e, (Complete, SendPacket))]
    assert kinds == [Complete, SendPacket]


def test_d0_entry_maps_the_window_and_sends_no_list() -> None:
    bench = VspBench().negotiated()
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == 0
    assert MapConfigWindow(Gpa(WINDOW)) in bench.effects
    assert bench.sent() == []


def test_the_list_can_be_sent_again_after_d0_entry_on_either_side_of_the_completion() -> None:
    for before, order in ((True, [SendPacket, Complete]), (False, [Complete, SendPacket])):
        bench = VspBench(relations_after_d0=True, relations_before_d0_completion=before)
        bench.negotiated()
        assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == 0
        kinds = [type(e) for e in bench.effects if isinstance(e, (Complete, SendPacket))]
        assert kinds == order


def test_an_unaligned_window_is_bad_data() -> None:
    bench = VspBench().negotiated()
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW + 8)) == BAD_DATA
    assert bench.state.phase is Phase.READY


def test_a_second_d0_entry_is_refused_until_d0_is_left() -> None:
    bench = VspBench().in_d0()
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == INVALID_DEVICE_STATE
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0
    assert UnmapConfigWindow() in bench.effects
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == 0


def test_a_crashed_guests_d0_outlives_its_channel_so_the_next_ones_entry_is_refused() -> None:
    bench = VspBench().assigned()
    bench.feed(ChannelClosed())
    assert UnmapConfigWindow() in bench.effects
    bench.negotiated()
    bench.tell(QUERY)
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == INVALID_DEVICE_STATE
    bench.tell(PciChildMessage(M.PCI_RESOURCES_RELEASED, 0))
    assert bench.event_names() == ["ResourcesReleased"]
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0
    assert bench.status(PciBusD0Entry(mmio_base=WINDOW)) == 0


def test_a_host_that_forgets_power_at_close_lets_the_next_guest_in() -> None:
    bench = VspBench(power_survives_close=False).assigned()
    bench.feed(ChannelClosed())
    assert bench.event_names() == ["ResourcesReleased"]
    bench.in_d0()


def test_d0_exit_releases_what_the_guest_did_not() -> None:
    bench = VspBench().assigned()
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0
    assert bench.event_names() == ["ResourcesReleased", "D0Exited"]


def test_requirements_are_the_probed_registers() -> None:
    bench = VspBench().negotiated()
    answer = bench.ask(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0))
    assert answer is not None
    assert PciQResReqResponse.parse(answer) == PciQResReqResponse(0, BAR_64)
    assert bench.status(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 1)) == BAD_DATA
    # All 32 bits of a slot count, reserved ones too.
    assert bench.status(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0x100)) == BAD_DATA


def test_relations_that_grow_are_told_to_a_guest_that_has_asked() -> None:
    bench = VspBench().in_d0()
    bench.feed(RelationsChanged((facts(0), facts(1))))
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]
    assert bench.events()[-1] == BusRelationsSent("nvme0", (0, 1))


def test_relations_that_change_before_the_guest_asks_wait_for_its_query() -> None:
    bench = VspBench().negotiated()
    bench.feed(RelationsChanged((facts(0), facts(1))))
    assert bench.sent() == []
    bench.tell(QUERY)
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]


def test_a_knob_sends_relations_to_a_guest_that_never_asked() -> None:
    bench = VspBench(relations_before_query=True).negotiated()
    bench.feed(RelationsChanged((facts(0),)))
    assert bench.sent() == ["PCI_BUS_RELATIONS2"]


def test_a_broken_ring_stops_the_conversation_until_a_new_open() -> None:
    bench = VspBench().assigned()
    bench.feed(RingBroken("indices"))
    assert bench.state.phase is Phase.STOPPED
    bench.feed(ChannelClosed())
    bench.negotiated()


def test_damaged_requests_are_bad_data_and_name_the_field() -> None:
    bench = VspBench().negotiated()
    assert bench.status(b"\x07\x00IB") == BAD_DATA
    (event,) = bench.events()
    assert "mmio_base" in repr(event) or "reserved" in repr(event)
    assert bench.status(b"\x07\x00") == BAD_DATA


def test_a_failure_can_be_armed_for_the_next_request_of_a_kind() -> None:
    bench = VspBench().in_d0()
    bench.feed(failure("nvme0", M.PCI_BUS_D0EXIT, 0xC000_00B5))
    assert bench.status(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)) == 0
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0xC000_00B5
    assert bench.event_names() == ["RequestFailed"]
    assert bench.state.phase is Phase.IN_D0
    assert bench.status(PciMessage(M.PCI_BUS_D0EXIT)) == 0
