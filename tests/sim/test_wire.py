# SPDX-License-Identifier: MIT
"""What of a trace counts as having crossed, and what of it two guests need not share."""

import struct
from typing import Any

import msgspec
import pytest

from guest.events import BusStateChanged
from host.events import ChannelOffered
from protocol.codec import WireRecord
from protocol.hypercall import (
    HVCALL_MMIO_WRITE,
    HVCALL_RETARGET_INTERRUPT,
    HVCALL_SIGNAL_EVENT,
    HvMmioWriteInput,
)
from protocol.ids import RelId, SlotNumber, TransactionId, VpIndex
from protocol.link import (
    ConfigRead,
    HypercallMade,
    InterruptDelivered,
    MessagePosted,
    PacketPublished,
)
from protocol.vmbus import (
    GpaRange,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTorndown,
    VmbusChannelInitiateContact,
    parse_message,
)
from sim.scenario_reader import load_scenario
from sim.trace import Stamped
from sim.wire import Crossing, wire_of
from sim.wire_lanes import CONNECTION
from sim.world import World


def stamped(*events: msgspec.Struct) -> list[Stamped]:
    return [Stamped(seq, 0, "host", event) for seq, event in enumerate(events)]


def posted(message: WireRecord) -> MessagePosted:
    return MessagePosted("guest-to-host", message.build())


def header(*frames: int, gpadl: int = 0xE1E10) -> MessagePosted:
    pages = GpaRange(byte_count=4096 * len(frames), pfn_array=frames)
    return posted(
        VmbusChannelGpadlHeader(
            child_relid=1, gpadl=gpadl, range_buflen=8, rangecount=1, range=(pages,)
        )
    )


def message_of(crossing: Crossing) -> Any:
    assert isinstance(crossing.event, MessagePosted)
    return parse_message(crossing.event.payload)


def test_only_what_crossed_counts() -> None:
    read = ConfigRead("nvme0", SlotNumber(0), 0, 4, 0)
    trace = stamped(
        ChannelOffered("nvme0", RelId(1)),
        read,
        BusStateChanged(RelId(1), "installed"),
        InterruptDelivered(VpIndex(0), 32),  # type: ignore[arg-type]  # a plain number will do
    )
    assert wire_of(trace) == (Crossing(1, "nvme0", read),)


def test_pages_of_the_guest_are_numbered_as_they_come() -> None:
    offered = ChannelOffered("nvme0", RelId(1))
    body = posted(VmbusChannelGpadlBody(gpadl=0xE1E10, pfn=(700, 501)))
    (first, second) = wire_of(stamped(offered, header(500, 501, 700), body))
    assert message_of(first).range[0].pfn_array == (1, 2, 3)
    assert message_of(second).pfn == (3, 2)
    assert {first.lane, second.lane} == {"nvme0"}


def test_so_are_those_that_an_earlier_message_has_left_in_a_call_s_input() -> None:
    contact = VmbusChannelInitiateContact(monitor_page1=0x999000, monitor_page2=0x777000)
    call = HvMmioWriteInput(gpa=0xC000_0000, size=4).build()
    left = struct.pack("<4Q", 0x777000, 0x999000, 0x999001, 0x888000)
    call = call[:24] + left + call[24 + len(left) :]
    made = HypercallMade(VpIndex(0), HVCALL_MMIO_WRITE, 0, call)
    crossed = wire_of(stamped(posted(contact), made))[1].event
    assert isinstance(crossed, HypercallMade)
    assert struct.unpack_from("<4Q", crossed.input, 24) == (0x2000, 0x1000, 0x999001, 0x888000)
    assert (crossed.input[:24], crossed.input[56:]) == (call[:24], call[56:])


@pytest.mark.parametrize(("page", "shown"), [(0x123000, 4096), (2, 2)])
def test_an_interrupt_page_is_a_page_and_what_stands_there_from_5_0_on_is_not(
    page: int, shown: int
) -> None:
    contact = VmbusChannelInitiateContact(interrupt_page=page, monitor_page1=0x999000)
    (crossing,) = wire_of(stamped(posted(contact)))
    assert message_of(crossing).interrupt_page == shown


def test_handles_transaction_ids_and_padding_are_compared_as_sent() -> None:
    packet = PacketPublished("guest-to-host", RelId(1), 6, TransactionId(1), 1, b"\1" + bytes(7))
    for changed in (
        msgspec.structs.replace(packet, transaction_id=TransactionId(2)),
        msgspec.structs.replace(packet, payload=b"\1" + bytes(6) + b"\1"),
    ):
        assert wire_of(stamped(packet))[0].event != wire_of(stamped(changed))[0].event
    assert wire_of(stamped(header(5)))[0] != wire_of(stamped(header(5, gpadl=0xE1E11)))[0]


def test_who_made_a_call_does_not_cross() -> None:
    calls = [HypercallMade(VpIndex(vp), HVCALL_SIGNAL_EVENT, 0, bytes(8)) for vp in (0, 3)]
    one, other = (wire_of(stamped(call)) for call in calls)
    assert one == other


def test_what_no_offer_tells_of_is_the_connection_s() -> None:
    torn_down = MessagePosted("host-to-guest", VmbusChannelGpadlTorndown(gpadl=9).build())
    damaged = MessagePosted("guest-to-host", b"\x08")
    assert [one.lane for one in wire_of(stamped(torn_down, damaged))] == [CONNECTION] * 2


def test_every_channel_s_messages_and_calls_belong_to_its_bus() -> None:
    world = World(load_scenario("reload"))
    world.run()
    wire = wire_of(world.trace())
    assert {one.lane for one in wire} == {CONNECTION, "late", "nvme0", "nvme1"}
    codes = {
        one.event.code
        for one in wire
        if isinstance(one.event, HypercallMade) and one.lane == CONNECTION
    }
    assert not codes & {HVCALL_SIGNAL_EVENT, HVCALL_RETARGET_INTERRUPT}
