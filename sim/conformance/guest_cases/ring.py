# SPDX-License-Identifier: MIT
"""The ring and its request ids: how a guest's packets look, whatever they say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from protocol.hypercall import HVCALL_SIGNAL_EVENT
from protocol.link import HypercallMade, MessagePosted, PacketPublished
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
    ChannelMessageType,
    VmbusChannelOpenChannel,
)
from protocol.vpci import MessageType
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import ASSIGNED as ASSIGNED_FORMS
from sim.conformance.guest_cases.reading import first, premise, published
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    ASSIGNED,
    LIFE,
    NIC,
    SETTLED_NS,
    UNBIND,
    actor,
    administrator,
    after,
    do,
)
from sim.conformance.seen import Seen, parsed

M = MessageType
REQUEST: Final = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
TABLE: Final = 64  # HV_PCI_RQSTOR_SIZE
MANY: Final = TABLE + 4
STALL_NS: Final = 1_000_000_000
WRITE: Final = "ring_buffer.c hv_ringbuffer_write()"
NEXT_ID: Final = "channel.c vmbus_next_request_id()"


def readers(count: int) -> str:
    """So many processes that read a block each while the host stands still."""
    stalled = actor(
        "administrator",
        do("offer", "nic0"),
        ASSIGNED,
        do("stall", "nic0", ns=STALL_NS),
        after(2 * STALL_NS),
    )
    step = do("read-block", "nic0", block=0, size=8)
    each = (actor(f"reader{n}", ASSIGNED, after(SETTLED_NS), step) for n in range(count))
    return NIC + stalled + "".join(each)


def ids_distinct(seen: Seen) -> None:
    waiting: set[int] = set()
    for seq, packet in seen.events(PacketPublished):
        if packet.packet_type == VM_PKT_COMP and packet.direction == "host-to-guest":
            waiting.discard(packet.transaction_id)
        elif packet.direction == "guest-to-host" and packet.flags & REQUEST:
            if packet.transaction_id in waiting:
                raise Nonconforming(f"id {packet.transaction_id} is in use already", seq)
            waiting.add(packet.transaction_id)


def requests_have_ids(seen: Seen) -> None:
    for seq, packet in published(seen):
        if packet.flags & REQUEST and not packet.transaction_id:
            raise Nonconforming("a request has the id 0, which hosts do not answer", seq)


def flags_known(seen: Seen) -> None:
    for seq, packet in published(seen):
        if packet.flags & ~REQUEST:
            raise Nonconforming(f"a packet has the flags {packet.flags:#x}", seq)


def in_band_only(seen: Seen) -> None:
    for seq, packet in published(seen):
        if packet.packet_type != VM_PKT_DATA_INBAND:
            raise Nonconforming(f"a packet has the ring's type {packet.packet_type}", seq)


def zero_without_request(seen: Seen) -> None:
    for seq, packet in published(seen):
        if not packet.flags & REQUEST and packet.transaction_id:
            raise Nonconforming(f"a packet without a request has id {packet.transaction_id}", seq)


def one_by_one(seen: Seen) -> None:
    for seq, packet in published(seen):
        if packet.flags & REQUEST and packet.transaction_id != 1:
            raise Nonconforming(f"the only request has id {packet.transaction_id}", seq)


def table_never_full(seen: Seen) -> None:
    flights = list(in_flight(seen))
    most = max((waiting for _, waiting in flights), default=0)
    if most != TABLE:
        at = next((seq for seq, waiting in flights if waiting > TABLE), None)
        raise Nonconforming(f"of {MANY} requests at once {most} were sent", at)


def in_flight(seen: Seen) -> Iterator[tuple[int, int]]:
    """Each request: its place, and how many wait for an answer, itself among them."""
    waiting = 0
    for seq, packet in seen.events(PacketPublished):
        if packet.direction == "guest-to-host" and packet.flags & REQUEST:
            waiting += 1
            yield seq, waiting
        elif packet.packet_type == VM_PKT_COMP and packet.direction == "host-to-guest":
            waiting = max(0, waiting - 1)


def signalled_sparingly(seen: Seen) -> None:
    packets = len(published(seen))
    calls = seen.events(HypercallMade)
    signals = [seq for seq, call in calls if call.code == HVCALL_SIGNAL_EVENT]
    if len(signals) > packets:
        what = f"{packets} packets were signalled {len(signals)} times"
        raise Nonconforming(what, signals[packets])


def waits_on(seen: Seen) -> None:
    """The empty completion woke nobody; the second one did."""
    entry = first(seen.sent(M.PCI_BUS_D0ENTRY), "D0 entry")
    answers = [
        seq
        for seq, packet in seen.events(PacketPublished)
        if packet.packet_type == VM_PKT_COMP and seq > entry.seq
    ]
    premise(len(answers) > 1, "the second answer")
    assigned = first(seen.sent(*ASSIGNED_FORMS), "RESOURCES_ASSIGNED")
    if assigned.seq < answers[1]:
        raise Nonconforming("an empty completion was taken for an answer", assigned.seq)


def openid_is_relid(seen: Seen) -> None:
    for stamped in seen.posted(ChannelMessageType.CHANNELMSG_OPENCHANNEL):
        assert isinstance(stamped.event, MessagePosted), "nothing else is posted"
        message = parsed(VmbusChannelOpenChannel.parse, stamped.event.payload, stamped.seq)
        if message.openid != message.child_relid:
            raise Nonconforming(f"the open id is {message.openid}", stamped.seq)


def torn_down(seen: Seen) -> None:
    closed = seen.posted(ChannelMessageType.CHANNELMSG_CLOSECHANNEL)
    premise(closed, "closing the channel")
    torn = seen.posted(ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN)
    early = [message.seq for message in torn if message.seq < closed[0].seq]
    if not torn or early:
        what = "the ring's GPADL was not torn down after the channel was closed"
        raise Nonconforming(what, min(early, default=None))


CASES: Final = (
    GuestCase(
        id="ids-distinct",
        strength="must",
        given="A guest with several requests in flight",
        when="it sends another",
        then="no two of them have the same id, so that each answer finds its request",
        source=NEXT_ID,
        scenario=readers(3),
        check=ids_distinct,
    ),
    GuestCase(
        id="requests-have-ids",
        strength="must",
        given="A guest at work, which is then taken off its bus",
        when="it asks for a completion",
        then="the request's id is not 0",
        source=f"{NEXT_ID}, comment; OpenVMM's client begins at 1",
        scenario=UNBIND,
        check=requests_have_ids,
    ),
    GuestCase(
        id="flags-known",
        strength="must",
        given="A guest at work",
        when="it sends a packet",
        then="no flag but the one for a completion is set",
        source="OpenVMM vmbus_ring takes others for damage",
        scenario=LIFE,
        check=flags_known,
    ),
    GuestCase(
        id="in-band-only",
        strength="must",
        given="A guest at work",
        when="it sends a packet",
        then="that is an in-band one: the host has asked nothing that wants a completion",
        source="OpenVMM VSP: a completion ends its worker",
        scenario=LIFE,
        check=in_band_only,
    ),
    GuestCase(
        id="id-zero-without-request",
        strength="linux",
        given="A guest at work",
        when="it sends a packet that wants no completion",
        then="the packet's id is 0",
        source=WRITE,
        scenario=LIFE,
        check=zero_without_request,
    ),
    GuestCase(
        id="id-used-again-at-once",
        strength="linux",
        given="A guest with one request in flight at a time",
        when="it sends the next",
        then="it has the id 1 again, since the last id given back is the first taken",
        source=NEXT_ID,
        scenario=ARRIVAL,
        check=one_by_one,
    ),
    GuestCase(
        id="sixty-four-requests",
        strength="linux",
        given="A host that stands still",
        when=f"{MANY} requests are to be made at once",
        then="64 are sent, and the others come to nothing",
        source=f"HV_PCI_RQSTOR_SIZE; {NEXT_ID}",
        scenario=readers(MANY),
        check=table_never_full,
    ),
    GuestCase(
        id="signalled-sparingly",
        strength="linux",
        about="vmbus",
        given="A guest at work",
        when="it writes into the ring",
        then="it signals the host once for a packet at most",
        source=f"{WRITE}: hv_signal_on_write()",
        scenario=LIFE,
        check=signalled_sparingly,
    ),
    GuestCase(
        id="empty-completion-skipped",
        strength="linux",
        given="A host that completes D0 entry without a status, and again with one",
        when="the guest reads both",
        then="it goes on with the second: a packet that is a descriptor and no more is skipped",
        source="pci-hyperv.c hv_pci_onchannelcallback()",
        scenario=administrator(
            do("answer-next", message="PCI_BUS_D0ENTRY", data=""),
            after(SETTLED_NS),
            do("answer-late", message="PCI_BUS_D0ENTRY", data="00000000"),
            after(SETTLED_NS),
        ),
        check=waits_on,
    ),
    GuestCase(
        id="open-id-is-the-relid",
        strength="linux",
        about="vmbus",
        given="A bus that was just offered",
        when="the guest opens its channel",
        then="the open id is the channel's number",
        source="channel.c __vmbus_open()",
        scenario=ARRIVAL,
        check=openid_is_relid,
    ),
    GuestCase(
        id="gpadl-torn-down-after-close",
        strength="linux",
        about="vmbus",
        given="A guest at work",
        when="the driver is taken off the bus",
        then="the ring's GPADL is torn down after the channel was closed",
        source="channel.c vmbus_close_internal()",
        scenario=UNBIND,
        check=torn_down,
    ),
)
