# SPDX-License-Identifier: MIT
"""Stories of a whole host partition, told by a guest that speaks bytes."""

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import pytest

from host.devices import PROFILES as DEVICES
from host.events import (
    BarsMapped,
    ChannelMoved,
    ConfigWindowRefused,
    IndexForged,
    InterruptDropped,
    LengthForged,
)
from host.partition import MESSAGES_WAITING_MAX
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.errors import LocalProtocolError
from protocol.gic import (
    GICD_BASE,
    GICD_ISENABLER,
    SPURIOUS_INTID,
    affinity_of,
    bit_of,
    route_of,
    word_of,
)
from protocol.hypercall import (
    HV_STATUS_INSUFFICIENT_BUFFERS,
    HV_STATUS_INVALID_CONNECTION_ID,
    HV_STATUS_INVALID_HYPERCALL_INPUT,
    HVCALL_POST_MESSAGE,
)
from protocol.ids import RelId, SlotNumber, Vector, VpIndex, logical_device_id
from protocol.link import InterruptDelivered, MessagePosted
from protocol.ring import RingCorrupt
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelOpenChannel,
    VmbusChannelOpenResult,
    VmbusChannelRelidReleased,
    message_type,
)
from protocol.vpci import (
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciBusRelations2,
    PciChildMessage,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciDeleteInterrupt,
    PciDevInvalBlock,
    PciEjectResponse,
    PciMessage,
    PciReadBlock,
    PciReadBlockResponse,
    PciResourcesAssigned2,
    PciVersionRequest,
    PciWriteBlock,
    TranIntDesc,
    message_name,
)
from tests.host.fakes import INSTANCE, FakeGuest, bus, status_of

C = ChannelMessageType
M = MessageType
MINUTE_NS = 60_000_000_000
NVME = 0xA80A_144D
ONES = 0xFFFF_FFFF
BAR = 0x20_0000_0000
DEVICE_ID = logical_device_id(INSTANCE)
WINDOW = 0xF800_0000
CONFIG = WINDOW + 0x1000


def arrive(guest: FakeGuest, name: str = "nvme0") -> RelId:
    """From the offer to resources assigned, at version 1.4."""
    relid = guest.partition.offer(name)
    guest.clock.run()
    guest.open(relid)
    answer, _ = guest.ask(relid, PciVersionRequest(protocol_version=0x10004).build())
    assert status_of(answer) == 0
    guest.tell(relid, PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS).build())
    for request in (PciBusD0Entry(mmio_base=WINDOW), PciResourcesAssigned2()):
        answer, _ = guest.ask(relid, request.build())
        assert status_of(answer) == 0
    return relid


def create_interrupt(
    guest: FakeGuest, relid: RelId, vector: int = 0x31, vp: int = 0
) -> tuple[int, int]:
    """Ask for one vector on one VP: (address, data)."""
    descriptor = HvMsiDesc3(
        vector=vector, vector_count=1, processor_count=1, processor_array=(vp,) + (0,) * 31
    )
    answer, _ = guest.ask(relid, PciCreateInterrupt3(int_desc=descriptor).build())
    assert answer is not None
    message = PciCreateIntResponse.parse(answer)
    assert message.status == 0
    return message.int_desc.address, message.int_desc.data


@pytest.fixture
def guest() -> FakeGuest:
    guest = FakeGuest(PartitionConfig((bus(),), vcpus=2))
    guest.connect()
    return guest


def test_a_device_arrives_is_ejected_and_its_offer_is_rescinded(guest: FakeGuest) -> None:
    relid = arrive(guest)
    assert guest.partition.mmio_read(CONFIG, 4) == 0xA80A_144D
    guest.partition.eject("nvme0")
    assert [message_name(p.payload) for p in guest.read(relid)] == ["PCI_EJECT"]
    news = guest.tell(relid, PciEjectResponse().build())
    assert [message_name(payload) for payload in news] == ["PCI_BUS_RELATIONS2"]
    assert guest.names()[-1] == "MessagePosted"
    assert "Rescinded" in guest.names()
    assert guest.partition.mmio_read(CONFIG, 4) == 0xFFFF_FFFF


def test_the_offer_names_the_instance_and_the_rescind_follows_the_last_function(
    guest: FakeGuest,
) -> None:
    relid = arrive(guest)
    (offer,) = guest.offers()
    assert (offer.child_relid, offer.offer.if_instance) == (relid, INSTANCE)
    before_ns = guest.clock.now_ns()
    guest.partition.eject("nvme0")
    guest.tell(relid, PciEjectResponse().build())
    rescinds = [m for m in guest.messages if message_type(m) == C.CHANNELMSG_RESCIND_CHANNELOFFER]
    assert len(rescinds) == 1
    assert guest.clock.now_ns() - before_ns < MINUTE_NS


@pytest.mark.wire_note("4.6f", "8.4a")
def test_an_overdue_eject_is_rescinded_after_60_seconds(guest: FakeGuest) -> None:
    arrive(guest)
    guest.partition.eject("nvme0")
    ejected_ns = guest.clock.now_ns()
    guest.clock.run_until(ejected_ns + MINUTE_NS - 1)
    assert "Rescinded" not in guest.names()
    assert guest.partition.mmio_read(CONFIG, 4) == NVME
    guest.clock.run_until(ejected_ns + MINUTE_NS)
    assert guest.names().index("EjectOverdue") < guest.names().index("Rescinded")
    assert guest.partition.mmio_read(CONFIG, 4) == ONES


def test_an_eject_that_is_answered_disarms_the_60_seconds(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.partition.eject("nvme0")
    guest.tell(relid, PciEjectResponse().build())
    guest.clock.run_until(2 * MINUTE_NS)
    assert "EjectOverdue" not in guest.names()


def test_after_a_rescind_the_ring_is_left_alone_and_every_reference_fails(
    guest: FakeGuest,
) -> None:
    relid = arrive(guest)
    address, data = create_interrupt(guest, relid)
    guest.partition.rescind("nvme0")
    before = guest.rings(relid).to_host.read_index
    guest.rings(relid).to_host.write(6, 1, 99, PciMessage(M.PCI_QUERY_BUS_RELATIONS).build())
    assert guest.signal(relid) == HV_STATUS_INVALID_CONNECTION_ID
    guest.clock.run()
    assert guest.rings(relid).to_host.read_index == before
    assert guest.read(relid) == []
    assert guest.partition.mmio_read(CONFIG, 4) == ONES
    assert guest.partition.mmio_write(CONFIG + 4, 2, 2) == 0
    assert guest.partition.hypervisor.deliver(DEVICE_ID, address, data) is None
    guest.partition.raise_interrupt("nvme0", 0, 0)
    guest.clock.run()
    assert guest.interrupts == []


def test_requests_in_flight_at_a_rescind_are_not_answered(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.write(relid, PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0).build())
    guest.partition.rescind("nvme0")
    guest.clock.run()
    assert guest.read(relid) == []


def test_a_reoffer_waits_until_the_guest_gave_the_old_relid_back(guest: FakeGuest) -> None:
    relid = arrive(guest)
    with pytest.raises(LocalProtocolError, match="offered already"):
        guest.partition.reoffer("nvme0")
    guest.partition.rescind("nvme0")
    again = guest.partition.reoffer("nvme0")
    assert len(guest.offers()) == 1
    guest.post(VmbusChannelCloseChannel(child_relid=relid).build())
    guest.post(VmbusChannelRelidReleased(child_relid=relid).build())
    guest.clock.run()
    assert [offer.child_relid for offer in guest.offers()] == [relid, again]
    guest.open(again)
    answer, _ = guest.ask(again, PciVersionRequest(protocol_version=0x10004).build())
    assert status_of(answer) == 0


@pytest.mark.wire_note("6.11c")
def test_a_packet_to_the_guest_sets_the_flag_of_its_relid(guest: FakeGuest) -> None:
    relid = guest.partition.offer("nvme0")
    guest.clock.run()
    guest.open(relid)
    assert guest.signals == {}
    guest.write(relid, PciVersionRequest(protocol_version=0x10004).build())
    guest.clock.run()
    assert guest.signals == {relid: 1}


def test_a_surprise_removal_is_all_ones_at_once_then_a_list_then_a_rescind(
    guest: FakeGuest,
) -> None:
    relid = arrive(guest)
    guest.partition.surprise_remove("nvme0")
    assert guest.partition.mmio_read(CONFIG, 4) == ONES
    (packet,) = guest.read(relid)
    assert message_name(packet.payload) == "PCI_BUS_RELATIONS2"
    guest.clock.run()
    assert "Rescinded" in guest.names()


def test_closing_unmaps_the_window_and_a_new_open_starts_afresh(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.close(relid)
    assert guest.partition.mmio_read(CONFIG, 4) == ONES
    guest.post(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=0xE1E10 + relid).build())
    guest.clock.run()
    guest.open(relid)
    answer, _ = guest.ask(relid, PciVersionRequest(protocol_version=0x10001).build())
    assert status_of(answer) == 0


# Memory decoding


def write_config(guest: FakeGuest, offset: int, size: int, value: int) -> int:
    return guest.partition.mmio_write(CONFIG + offset, size, value)


def test_bars_are_mapped_while_decoding_is_on_and_the_vp_is_held(guest: FakeGuest) -> None:
    arrive(guest)
    write_config(guest, 0x10, 4, BAR & 0xFFFF_FFFF)
    write_config(guest, 0x14, 4, BAR >> 32)
    assert guest.partition.mmio_read(BAR, 4) == ONES
    write_config(guest, 0x04, 2, 0x6)
    (mapped,) = (e for e in guest.events if isinstance(e, BarsMapped))
    assert (mapped.bus, mapped.wslot, mapped.bars) == ("nvme0", 0, (0,))
    guest.partition.mmio_write(BAR + 0x100, 4, 0x1234)
    assert guest.partition.mmio_read(BAR + 0x100, 4) == 0x1234
    write_config(guest, 0x04, 2, 0x4)
    assert guest.partition.mmio_read(BAR + 0x100, 4) == ONES


def test_mapping_time_is_charged_per_gib() -> None:
    config = PartitionConfig(
        (bus("gpu0", "gpu"),),
        latency_ns={"bar_map_per_gib": (1_000, 1_000), "bar_unmap_per_gib": (500, 500)},
    )
    guest = FakeGuest(config)
    guest.connect()
    arrive(guest, "gpu0")
    for index, value in enumerate((0xC000_0000, 0, 0x40, 0xD000_0000, 0)):
        write_config(guest, 0x10 + 4 * index, 4, value)
    held = [write_config(guest, 0x04, 2, command) for command in (2, 2, 0)]
    size_bytes = (16 << 20) + (128 << 30) + (32 << 20)
    assert held == [size_bytes * 1_000 >> 30, 0, size_bytes * 500 >> 30]


# Interrupts


def ready_to_interrupt(guest: FakeGuest, vector: int = 0x31, vp: int = 1) -> RelId:
    """MSI on, its message from the hypervisor, decoding and bus mastering on."""
    relid = arrive(guest)
    address, data = create_interrupt(guest, relid, vector, vp)
    write_config(guest, 0x54, 4, address & 0xFFFF_FFFF)
    write_config(guest, 0x58, 4, address >> 32)
    write_config(guest, 0x5C, 2, data)
    write_config(guest, 0x52, 2, 1)
    write_config(guest, 0x10, 4, BAR & 0xFFFF_FFFF)
    write_config(guest, 0x14, 4, BAR >> 32)
    write_config(guest, 0x04, 2, 0x6)
    return relid


def test_a_raised_interrupt_arrives_after_its_latency_at_its_vp(guest: FakeGuest) -> None:
    ready_to_interrupt(guest)
    guest.partition.raise_interrupt("nvme0", 0, 0)
    assert guest.interrupts == []
    guest.clock.run()
    assert guest.interrupts == [(1, 0x31)]
    assert InterruptDelivered(VpIndex(1), Vector(0x31)) in guest.events


def test_on_arm64_an_interrupt_waits_until_the_guest_enables_its_spi() -> None:
    guest = FakeGuest(PartitionConfig((bus("nvme0", "nvme-ssd"),), vcpus=2, arch="arm64"))
    guest.connect()
    spi = 300
    ready_to_interrupt(guest, vector=spi)
    guest.partition.raise_interrupt("nvme0", 0, 0)
    guest.clock.run()
    assert guest.interrupts == []
    for offset, size, value in (
        (route_of(spi), 8, affinity_of(VpIndex(1))),
        (word_of(GICD_ISENABLER, spi), 4, bit_of(spi)),
    ):
        assert guest.partition.mmio_write(GICD_BASE + offset, size, value) == 0
    assert guest.interrupts == [(1, spi)]
    assert guest.partition.read_iar(VpIndex(1)) == spi
    guest.partition.write_eoir(spi)
    assert guest.partition.read_iar(VpIndex(1)) == SPURIOUS_INTID
    assert InterruptDelivered(VpIndex(1), Vector(spi)) in guest.events


def test_a_doorbell_completes_work_and_interrupts(guest: FakeGuest) -> None:
    ready_to_interrupt(guest)
    guest.partition.mmio_write(BAR + 0x1000, 4, 1)
    guest.clock.run()
    assert guest.interrupts == [(1, 0x31)]


def test_a_deleted_interrupts_message_is_dropped_and_told(guest: FakeGuest) -> None:
    relid = ready_to_interrupt(guest)
    address = 0xFEE0_0010
    guest.tell(relid, PciDeleteInterrupt(int_desc=TranIntDesc(address=address)).build())
    guest.partition.raise_interrupt("nvme0", 0, 0)
    guest.clock.run()
    assert guest.interrupts == []
    assert InterruptDropped("nvme0", 0, 0, address, 0) in guest.events


def test_an_interrupt_that_is_turned_off_is_held(guest: FakeGuest) -> None:
    arrive(guest)
    guest.partition.raise_interrupt("nvme0", 0, 0)
    assert "InterruptHeld" in guest.names()


def test_an_impossible_vector_is_bad_data(guest: FakeGuest) -> None:
    relid = arrive(guest)
    descriptor = HvMsiDesc3(vector=300, vector_count=1, processor_count=1)
    answer, _ = guest.ask(relid, PciCreateInterrupt3(int_desc=descriptor).build())
    assert status_of(answer) == 0xC000_090B
    assert guest.partition.hypervisor.pcpu_loads == (0,)


# More of the administrator


def test_blocks_go_to_the_function_and_invalidations_are_merged() -> None:
    guest = FakeGuest(PartitionConfig((bus("vf0", "nic-vf"),)))
    guest.connect()
    relid = arrive(guest, "vf0")
    block = dict(DEVICES["nic-vf"].blocks)[0]
    answer, _ = guest.ask(relid, PciReadBlock(block_id=0, bytes_requested=128).build())
    assert answer is not None
    assert PciReadBlockResponse.parse(answer).bytes.startswith(block)
    unknown, _ = guest.ask(relid, PciReadBlock(block_id=99, bytes_requested=8).build())
    assert status_of(unknown) == 0xC000_090B
    write = PciWriteBlock(block_id=0, byte_count=3, bytes=b"new" + bytes(4))
    assert status_of(guest.ask(relid, write.build())[0]) == 0
    again, _ = guest.ask(relid, PciReadBlock(block_id=0, bytes_requested=3).build())
    assert again is not None
    assert PciReadBlockResponse.parse(again).bytes[:3] == b"new"
    guest.partition.invalidate_block("vf0", 0, 1)
    guest.partition.invalidate_block("vf0", 0, 1 << 63)
    guest.clock.run()
    (packet,) = guest.read(relid)
    assert PciDevInvalBlock.parse(packet.payload).block_mask == 1 << 63 | 1


def test_relations_grow_and_shrink_by_configured_slots() -> None:
    functions = tuple(
        FunctionConfig(DEVICES["nvme-ssd"], SlotNumber(slot), serial=slot, present=slot != 0x20)
        for slot in (0, 0x20)
    )
    guest = FakeGuest(PartitionConfig((BusConfig("nvme0", INSTANCE, functions),)))
    guest.connect()
    relid = arrive(guest)
    guest.partition.relations("nvme0", (0, 0x20))
    guest.partition.mmio_write(WINDOW, 4, 0x20)
    assert guest.partition.mmio_read(CONFIG, 4) == NVME
    guest.partition.relations("nvme0", (0x20,))
    assert [PciBusRelations2.parse(p.payload).device_count for p in guest.read(relid)] == [2, 1]
    guest.partition.mmio_write(WINDOW, 4, 0)
    assert guest.partition.mmio_read(CONFIG, 4) == ONES
    with pytest.raises(ValueError, match="slot 0x7"):
        guest.partition.relations("nvme0", (7,))


def test_function_0_with_siblings_is_marked_multi_function() -> None:
    guest = FakeGuest(PartitionConfig((bus(slots=(0, 0x20)),)))
    guest.connect()
    arrive(guest)
    assert guest.partition.mmio_read(CONFIG + 0x0E, 1) == 0x80


def test_the_next_request_of_a_kind_can_be_failed(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.partition.fail_next("nvme0", "PCI_BUS_D0EXIT", 0xC000_00B5)
    for expected in (0xC000_00B5, 0):
        answer, _ = guest.ask(relid, PciMessage(M.PCI_BUS_D0EXIT).build())
        assert status_of(answer) == expected
    with pytest.raises(ValueError, match="PCI_BUS_D0ENTRY"):
        guest.partition.fail_next("nvme0", "D0", 1)


def test_the_next_request_of_a_kind_can_get_other_bytes_than_an_answer(guest: FakeGuest) -> None:
    relid = arrive(guest)
    exit_d0 = PciMessage(M.PCI_BUS_D0EXIT).build()
    guest.partition.answer_next("nvme0", "PCI_BUS_D0EXIT", b"\1\2")
    answer, _ = guest.ask(relid, exit_d0)
    assert answer is not None
    assert answer[:2] == b"\1\2"
    assert status_of(guest.ask(relid, exit_d0)[0]) == 0


def test_the_next_request_of_a_kind_can_be_left_without_an_answer(guest: FakeGuest) -> None:
    relid = arrive(guest)
    exit_d0 = PciMessage(M.PCI_BUS_D0EXIT).build()
    guest.partition.ignore_next("nvme0", "PCI_BUS_D0EXIT")
    assert guest.ask(relid, exit_d0)[0] is None
    assert status_of(guest.ask(relid, exit_d0)[0]) == 0


def test_a_request_that_a_fault_met_can_be_answered_late_and_again(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.partition.ignore_next("nvme0", "PCI_BUS_D0EXIT")
    asked = guest.write(relid, PciMessage(M.PCI_BUS_D0EXIT).build())
    guest.clock.run()
    guest.ask(relid, PciMessage(M.PCI_BUS_D0EXIT).build())
    for answer in (b"\1\2\3\4", b"\5\6\7\10"):
        guest.partition.answer_late("nvme0", "PCI_BUS_D0EXIT", answer)
        (packet,) = guest.read(relid)
        assert (packet.packet_type, packet.transaction_id) == (VM_PKT_COMP, asked)
        assert packet.payload[:4] == answer


def test_nothing_is_answered_late_that_no_fault_met(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.partition.answer_late("nvme0", "PCI_QUERY_PROTOCOL_VERSION", bytes(4))
    assert guest.read(relid) == []
    with pytest.raises(ValueError, match="PCI_BUS_D0ENTRY"):
        guest.partition.answer_late("nvme0", "D0", bytes(4))


def test_a_stall_delays_the_next_answer(guest: FakeGuest) -> None:
    relid = arrive(guest)
    start_ns = guest.clock.now_ns()
    guest.partition.stall("nvme0", 3_000_000)
    guest.write(relid, PciMessage(M.PCI_BUS_D0EXIT).build())
    guest.clock.run_until(start_ns + 3_000_000)
    assert guest.read(relid) == []
    guest.clock.run()
    assert len(guest.read(relid)) == 1


def test_a_hostile_host_sends_whatever_it_is_told_to(guest: FakeGuest) -> None:
    relid = arrive(guest)
    guest.partition.forge_packet("nvme0", b"\1\2\3\4")
    guest.partition.forge_completion("nvme0", 77, b"\5\6\7\10")
    message, answer = guest.read(relid)
    assert (message.packet_type, message.transaction_id) == (VM_PKT_DATA_INBAND, 0)
    assert message.payload[:4] == b"\1\2\3\4"
    assert (answer.packet_type, answer.transaction_id) == (VM_PKT_COMP, 77)
    assert answer.payload[:4] == b"\5\6\7\10"


@pytest.mark.parametrize(
    ("said", "offset8", "len8"),
    [({"len8": 7}, 2, 7), ({"offset8": 9}, 9, 3), ({"len8": 7, "offset8": 9}, 9, 7)],
)
def test_a_packet_of_a_hostile_host_says_anything_of_itself(
    guest: FakeGuest, said: dict[str, int], offset8: int, len8: int
) -> None:
    relid = arrive(guest)
    to_guest = guest.partition.rings()[relid][1]
    at = to_guest.write_index
    guest.partition.forge_packet("nvme0", b"\1\2\3\4", **said)
    assert struct.unpack("<HHHH", to_guest.bytes_at(at, 8)) == (6, offset8, len8, 0)
    assert guest.events[-1] == LengthForged(relid, offset8, len8)


def test_the_rings_of_open_channels_can_be_looked_at(guest: FakeGuest) -> None:
    guest.connect()
    guest.partition.offer("nvme0")
    assert guest.partition.rings() == {}


@pytest.mark.parametrize("ring", ["to-guest", "to-host"])
def test_a_hostile_host_writes_any_index_into_a_ring(guest: FakeGuest, ring: str) -> None:
    relid = arrive(guest)
    guest.partition.forge_index("nvme0", ring, 1 << 20)
    assert guest.events[-1] == IndexForged(relid, ring, 1 << 20)
    with pytest.raises(RingCorrupt, match="out of range"):
        guest.read(relid) if ring == "to-guest" else guest.write(relid, bytes(8))


def test_a_hostile_host_posts_whatever_it_is_told_to(guest: FakeGuest) -> None:
    guest.connect()
    guest.partition.forge_message(bytes([30, 0, 0, 0, 7]))
    assert guest.events[-1] == MessagePosted("host-to-guest", bytes([30, 0, 0, 0, 7]))
    with pytest.raises(LocalProtocolError):
        guest.partition.forge_message(bytes(241))


def test_nothing_is_forged_where_no_channel_is_open(guest: FakeGuest) -> None:
    with pytest.raises(LocalProtocolError, match="nvme0 has not been offered"):
        guest.partition.forge_packet("nvme0", b"\1\2\3\4")
    guest.connect()
    guest.partition.offer("nvme0")
    guest.partition.forge_packet("nvme0", b"\1\2\3\4")
    guest.partition.forge_completion("nvme0", 77, b"\1\2\3\4")
    guest.partition.forge_index("nvme0", "to-guest", 1 << 20)


def test_two_buses_do_not_disturb_each_other() -> None:
    other = BusConfig("nvme1", UUID(int=INSTANCE.int + 1), bus().functions)
    guest = FakeGuest(PartitionConfig((bus(), other)))
    guest.connect()
    first = arrive(guest)
    second = guest.partition.offer("nvme1")
    guest.clock.run()
    guest.open(second)
    guest.ask(second, PciVersionRequest(protocol_version=0x10003).build())
    guest.ask(second, PciBusD0Entry(mmio_base=WINDOW).build())
    assert ConfigWindowRefused("nvme1", WINDOW) in guest.events
    guest.partition.rescind("nvme1")
    guest.clock.run()
    assert guest.partition.mmio_read(CONFIG, 4) == NVME
    answer, _ = guest.ask(first, PciMessage(M.PCI_BUS_D0EXIT).build())
    assert status_of(answer) == 0


# What the partition refuses


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"profile": "kvm"}, "known: hyperv, openvmm"),
        ({"knobs": {"speed": 1}}, "unknown knob 'speed'"),
        ({"latency_ns": {"reply": (5, 1)}}, "is no window"),
        ({"latency_ns": {"replies": (1, 1)}}, "unknown latency 'replies'"),
        ({"buses": (bus(slots=(0, 0)),)}, "two functions in one slot"),
        ({"buses": (bus(slots=(256,)),)}, "slots are"),
        ({"buses": (bus(slots=()),)}, "1 to 145 functions"),
        ({"buses": (bus(slots=(1,)),), "profile": "openvmm"}, "one function, in slot 0"),
        ({"vcpus": 2, "vp_numbers": (1,)}, "2 different VPs"),
        (
            {"knobs": {"highest_vmbus_version": "9.9"}},
            r"highest_vmbus_version: must be one of 2\.4",
        ),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    changes: dict[str, Any], complaint: str
) -> None:
    config = PartitionConfig(**{"buses": (bus(),), **changes})
    with pytest.raises(ValueError, match=complaint):
        FakeGuest(config)


def test_names_that_are_not_there_are_refused(guest: FakeGuest) -> None:
    with pytest.raises(ValueError, match="there are nvme0"):
        guest.partition.offer("nvme9")
    with pytest.raises(LocalProtocolError, match="has not been offered"):
        guest.partition.eject("nvme0")


def test_a_message_the_server_refuses_is_told_and_nothing_is_answered(guest: FakeGuest) -> None:
    count = len(guest.messages)
    guest.post(VmbusChannelRelidReleased(child_relid=77).build())
    guest.post(b"\x01")
    guest.clock.run()
    assert len(guest.messages) == count
    assert guest.names().count("MessageRefused") == 2


@pytest.mark.parametrize("pages", [(1, 3, 5, 7, 9), range(1 << 20, (1 << 20) + 5)])
def test_ring_pages_that_are_scattered_or_nowhere_fail_the_open(
    guest: FakeGuest, pages: Sequence[int]
) -> None:
    relid = guest.partition.offer("nvme0")
    guest.clock.run()
    area = GpaRange(byte_count=5 * 4096, byte_offset=0, pfn_array=tuple(pages))
    guest.post(
        VmbusChannelGpadlHeader(
            child_relid=relid, gpadl=5, range_buflen=48, rangecount=1, range=(area,)
        ).build()
    )
    guest.post(
        VmbusChannelOpenChannel(
            child_relid=relid,
            openid=relid,
            ringbuffer_gpadlhandle=5,
            downstream_ringbuffer_pageoffset=2,
        ).build()
    )
    guest.clock.run()
    assert "RingRefused" in guest.names()
    assert VmbusChannelOpenResult.parse(guest.messages[-1]).status != 0


def test_more_messages_than_a_port_holds_are_not_taken(guest: FakeGuest) -> None:
    message = VmbusChannelRelidReleased(child_relid=9).build()
    statuses = [guest.post(message) for _ in range(MESSAGES_WAITING_MAX + 1)]
    assert set(statuses[:-1]) == {0}
    assert statuses[-1] == HV_STATUS_INSUFFICIENT_BUFFERS
    guest.clock.run()
    assert guest.post(message) == 0


def test_unclaimed_addresses_read_all_ones_and_are_told(guest: FakeGuest) -> None:
    assert guest.partition.mmio_read(0x1234_5000, 2) == 0xFFFF
    assert guest.partition.mmio_write(0x1234_5000, 2, 1) == 0
    assert guest.names()[-2:] == ["UnclaimedAccess", "UnclaimedAccess"]


def test_openvmm_plays_an_arrival_and_takes_the_channel_back() -> None:
    guest = FakeGuest(PartitionConfig((bus(),), profile="openvmm"))
    guest.connect()
    relid = arrive(guest)
    assert guest.partition.mmio_read(CONFIG, 4) == NVME
    with pytest.raises(LocalProtocolError):
        guest.partition.eject("nvme0")
    guest.partition.rescind("nvme0")
    guest.clock.run()
    assert guest.partition.mmio_read(CONFIG, 4) == ONES
    assert guest.read(relid) == []


def test_openvmm_reads_no_request_while_the_guest_leaves_a_packet_unread() -> None:
    guest = FakeGuest(PartitionConfig((bus(),), profile="openvmm"))
    guest.connect()
    relid = guest.partition.offer("nvme0")
    guest.clock.run()
    guest.open(relid)
    guest.write(relid, PciVersionRequest(protocol_version=0x10003).build())
    guest.write(relid, PciMessage(M.PCI_QUERY_BUS_RELATIONS).build(), completion=False)
    guest.clock.run()
    assert len(guest.read(relid)) == 1
    guest.clock.run()
    assert [message_name(p.payload) for p in guest.read(relid)] == ["PCI_BUS_RELATIONS2"]


def test_relations_of_a_bus_that_is_gone_are_refused_and_bring_nothing_to_life(
    guest: FakeGuest,
) -> None:
    guest.partition.offer("nvme0")
    guest.partition.rescind("nvme0")
    with pytest.raises(LocalProtocolError, match="GONE"):
        guest.partition.relations("nvme0", (0,))
    assert guest.partition.bus("nvme0").functions == {}


# The machine is switched off and on


def test_a_machine_that_is_switched_off_finds_its_devices_out_of_reset(guest: FakeGuest) -> None:
    ready_to_interrupt(guest)
    guest.partition.power_off()
    assert guest.partition.mmio_read(BAR, 4) == ONES
    assert guest.partition.mmio_read(CONFIG, 4) == ONES  # the channel is closed as well
    read = guest.partition.bus("nvme0").functions[0].read
    assert read(0x00, 4) == NVME
    assert read(0x04, 2) == 0
    assert read(0x10, 4) & ~0xF == 0


def test_a_guest_that_connects_again_is_offered_its_bus_under_another_number(
    guest: FakeGuest,
) -> None:
    relid = arrive(guest)
    guest.connect()
    (moved,) = (event for event in guest.events if isinstance(event, ChannelMoved))
    assert (moved.bus, moved.before, moved.relid) == ("nvme0", relid, relid + 1)
    again = moved.relid
    guest.open(again)
    answer, _ = guest.ask(again, PciVersionRequest(protocol_version=0x10004).build())
    assert status_of(answer) == 0


def test_a_host_may_keep_the_number() -> None:
    guest = FakeGuest(PartitionConfig((bus(),), knobs={"relids_after_unload": "same"}))
    guest.connect()
    relid = guest.partition.offer("nvme0")
    guest.clock.run()
    guest.connect()
    assert guest.partition.server.held_relids() == {relid}
    assert not any(isinstance(event, ChannelMoved) for event in guest.events)


def test_a_count_of_repetitions_stands_above_every_status_and_not_in_it() -> None:
    guest = FakeGuest(PartitionConfig((bus(),), knobs={"repetitions_told": 3}))
    result = guest.partition.hypercall(VpIndex(0), HVCALL_POST_MESSAGE, b"")
    assert (result.register >> 32, result.status) == (3, HV_STATUS_INVALID_HYPERCALL_INPUT)
