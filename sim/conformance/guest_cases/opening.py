# SPDX-License-Identifier: MIT
"""What a guest posts before a channel's first packet: the contact, the ring's pages, the open."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from protocol.codec import WireRecord
from protocol.hypercall import HV_HYP_PAGE_SIZE, HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT
from protocol.link import HypercallMade, MessagePosted
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOfferChannel,
    VmbusChannelOpenChannel,
)
from sim.conformance.case import GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import premise
from sim.conformance.guest_cases.scenarios import (
    HIBERNATE,
    SETTLED_NS,
    administrator,
    after,
    knobs,
)
from sim.conformance.seen import Seen, parsed
from sim.trace import Stamped

R = TypeVar("R", bound=WireRecord)
T = ChannelMessageType
CONTACT_BYTES: Final = 40
CONTACT: Final = "connection.c vmbus_try_connection_id()"
FROM_5_0: Final = (0x50003, 0x50002, 0x50001, 0x50000)
BEFORE_5_0: Final = (0x40001, 0x40000, 0x30000, 0x20004)
MESSAGE_SINT: Final = 2
FIRST_HANDLE: Final = 0xE1E10
HEADER_BYTES: Final = 108
RING_PAGES: Final = 5  # 16 KiB of data, and the page of indices
RING_PAGES_SOURCE: Final = "pci-hyperv.c pci_ring_size"
FIRST_VP: Final = 5  # the virtual processor that is CPU 0
OFFERED: Final = administrator(after(SETTLED_NS))
UNORDERED: Final = f"\n[guest]\nvp_numbers = [{FIRST_VP}, 0]\n" + OFFERED


def host_up_to(version: str) -> str:
    """A host that knows VMBus up to that version."""
    return knobs(highest_vmbus_version=f'"{version}"') + OFFERED


def messages(seen: Seen, kind: type[R], message: T) -> list[tuple[Stamped, R]]:
    """What the guest posted of that type, whole. Raises NotOffered if there is none."""
    found = [
        (stamped, parsed(kind.parse, _payload(stamped), stamped.seq))
        for stamped in seen.posted(message)
    ]
    premise(found, f"posting {message.name}")
    return found


def _payload(stamped: Stamped) -> bytes:
    assert isinstance(stamped.event, MessagePosted), "nothing else is posted"
    return stamped.event.payload


def headers(seen: Seen) -> list[tuple[Stamped, VmbusChannelGpadlHeader]]:
    return messages(seen, VmbusChannelGpadlHeader, T.CHANNELMSG_GPADL_HEADER)


def opens(seen: Seen) -> list[tuple[Stamped, VmbusChannelOpenChannel]]:
    return messages(seen, VmbusChannelOpenChannel, T.CHANNELMSG_OPENCHANNEL)


def at_a_sint(target: int) -> bool:
    return target == MESSAGE_SINT


def at_a_page(target: int) -> bool:
    return target > 0 and not target % HV_HYP_PAGE_SIZE


def contacts(
    versions: tuple[int, ...], told_where: Callable[[int], bool]
) -> Callable[[Seen], None]:
    """A check: one contact for each of these versions, and where each says messages shall come."""

    def check(seen: Seen) -> None:
        sent = messages(seen, VmbusChannelInitiateContact, T.CHANNELMSG_INITIATE_CONTACT)
        for stamped, contact in sent:
            if len(_payload(stamped)) != CONTACT_BYTES or not told_where(contact.interrupt_page):
                where = f"{len(_payload(stamped))} bytes, target {contact.interrupt_page:#x}"
                raise Nonconforming(f"the contact has {where}", stamped.seq)
        asked = tuple(contact.vmbus_version_requested for _, contact in sent)
        if asked != versions:
            names = ", ".join(f"{version:#x}" for version in asked)
            raise Nonconforming(f"it asked for the versions {names}", sent[0][0].seq)

    return check


def tried_once_each(seen: Seen) -> None:
    """Posts that the hypervisor refused, as nobody listens at the connection that they name."""
    posted = seen.posted(T.CHANNELMSG_INITIATE_CONTACT)
    premise(posted, "a contact that its host hears")
    refused = [
        seq
        for seq, call in seen.events(HypercallMade)
        if call.code == HVCALL_POST_MESSAGE and call.result and seq < posted[0].seq
    ]
    if len(refused) != len(FROM_5_0):
        raise Nonconforming(f"{len(refused)} contacts were refused, not {len(FROM_5_0)}")


def offers_asked_for(seen: Seen) -> None:
    accepted = seen.posted(T.CHANNELMSG_VERSION_RESPONSE, "host-to-guest")
    premise(accepted, "an answer to its contact")
    asked = seen.posted(T.CHANNELMSG_REQUESTOFFERS)
    if len(asked) != 1 or asked[0].seq < accepted[-1].seq:
        raise Nonconforming(f"it asked for offers {len(asked)} times", accepted[-1].seq)
    size = len(_payload(asked[0]))
    if size != VmbusChannelMessageHeader.SIZE:
        raise Nonconforming(f"the message has {size} bytes", asked[0].seq)


def connection_named(seen: Seen) -> None:
    """The offer's, in the input of each signal; there is one channel."""
    offers = seen.posted(T.CHANNELMSG_OFFERCHANNEL, "host-to-guest")
    signals = [
        (seq, call) for seq, call in seen.events(HypercallMade) if call.code == HVCALL_SIGNAL_EVENT
    ]
    premise(offers and signals, "signalling its host")
    offered = VmbusChannelOfferChannel.parse(_payload(offers[0])).connection_id
    for seq, call in signals:
        named = int.from_bytes(call.input[:4], "little")
        if named != offered:
            raise Nonconforming(f"it signals the connection {named:#x}, not {offered:#x}", seq)


def pages_told_first(seen: Seen) -> None:
    for stamped, message in opens(seen):
        mine = [h for h in headers(seen) if h[1].child_relid == message.child_relid]
        if not mine or mine[-1][1].gpadl != message.ringbuffer_gpadlhandle:
            handle = message.ringbuffer_gpadlhandle
            raise Nonconforming(f"it opens with the GPADL {handle:#x}, never told", stamped.seq)
        told = seen.posted(T.CHANNELMSG_GPADL_CREATED, "host-to-guest")
        if not any(mine[-1][0].seq < each.seq < stamped.seq for each in told):
            raise Nonconforming("the GPADL had not been created when it was used", stamped.seq)


def ten_pages(seen: Seen) -> None:
    for stamped, header in headers(seen):
        pages = sum(len(each.pfn_array) for each in header.range)
        told_bytes = sum(each.byte_count for each in header.range)
        found = len(_payload(stamped)), pages, told_bytes
        if found != (HEADER_BYTES, 2 * RING_PAGES, 2 * RING_PAGES * HV_HYP_PAGE_SIZE):
            told_of = f"{found[0]} bytes, {pages} pages, {told_bytes} bytes of them"
            raise Nonconforming(f"the header has {told_of}", stamped.seq)


def split_in_the_middle(seen: Seen) -> None:
    for stamped, message in opens(seen):
        if message.downstream_ringbuffer_pageoffset != RING_PAGES:
            place = message.downstream_ringbuffer_pageoffset
            raise Nonconforming(f"the host's ring begins at page {place}", stamped.seq)


def handles_count_up(seen: Seen) -> None:
    found = headers(seen)
    premise(len(found) > 1, "a second GPADL")
    for place, (stamped, header) in enumerate(found):
        if header.gpadl != FIRST_HANDLE + place:
            raise Nonconforming(f"GPADL {place} is {header.gpadl:#x}", stamped.seq)


def aimed_at_cpu_0(seen: Seen) -> None:
    for stamped, message in opens(seen):
        if message.target_vp != FIRST_VP:
            raise Nonconforming(f"it names the processor {message.target_vp}", stamped.seq)


CASES: Final = (
    GuestCase(
        id="vmbus-versions-from-above",
        strength="linux",
        about="vmbus",
        given="A host that knows VMBus up to 5.0",
        when="a guest makes contact",
        then="it asks for 5.3, 5.2, 5.1 and 5.0 in 40 bytes each, and wants messages at SINT 2",
        source=CONTACT,
        scenario=host_up_to("5.0"),
        check=contacts(FROM_5_0, at_a_sint),
    ),
    GuestCase(
        id="vmbus-versions-down-to-2.4",
        strength="linux",
        about="vmbus",
        given="A host that knows VMBus 2.4 only, and so no connection of 5.0",
        when="a guest makes contact",
        then="it asks for 4.1, 4.0, 3.0 and 2.4 elsewhere, in 40 bytes with an interrupt page each",
        source=CONTACT,
        scenario=host_up_to("2.4"),
        check=contacts(BEFORE_5_0, at_a_page),
    ),
    GuestCase(
        id="unknown-connection-tried-once",
        strength="linux",
        about="vmbus",
        given="A host that has no connection for VMBus 5.0 and later",
        when="a guest tries to make contact there",
        then="it tries once for each of four versions, and then the older ones elsewhere",
        source="connection.c vmbus_post_msg(): HV_STATUS_INVALID_CONNECTION_ID",
        scenario=host_up_to("2.4"),
        check=tried_once_each,
    ),
    GuestCase(
        id="offers-asked-for-once",
        strength="linux",
        about="vmbus",
        given="A guest and a host that have agreed on a version of VMBus",
        when="the guest goes on",
        then="it asks once for what is offered, in 8 bytes",
        source="channel_mgmt.c vmbus_request_offers()",
        scenario=OFFERED,
        check=offers_asked_for,
    ),
    GuestCase(
        id="pages-told-before-opening",
        strength="linux",
        about="vmbus",
        given="A bus that was just offered",
        when="the guest opens its channel",
        then="it names a GPADL of that channel, which the host has created by then",
        source="channel.c __vmbus_open()",
        scenario=OFFERED,
        check=pages_told_first,
    ),
    GuestCase(
        id="ten-pages-in-one-header",
        strength="linux",
        about="vmbus",
        given="A bus that was just offered",
        when="the guest tells the host its rings",
        then="one header of 108 bytes has all ten pages, of 40960 bytes",
        source=f"{RING_PAGES_SOURCE}; channel.c create_gpadl_header()",
        scenario=OFFERED,
        check=ten_pages,
    ),
    GuestCase(
        id="rings-split-in-the-middle",
        strength="linux",
        about="vmbus",
        given="A bus that was just offered",
        when="the guest opens its channel",
        then="the ring from the host begins at the sixth of its ten pages",
        source=f"{RING_PAGES_SOURCE}; channel.c __vmbus_open()",
        scenario=OFFERED,
        check=split_in_the_middle,
    ),
    GuestCase(
        id="gpadl-handles-count-up",
        strength="linux",
        about="vmbus",
        given="A guest that has hibernated and opens its channel for the second time",
        when="it tells the host its rings",
        then="the first GPADL is 0xe1e10 and the second 0xe1e11",
        source="connection.c next_gpadl_handle",
        scenario=HIBERNATE,
        check=handles_count_up,
    ),
    GuestCase(
        id="channel-aimed-at-cpu-0",
        strength="linux",
        about="vmbus",
        given=f"A VM whose CPU 0 is virtual processor {FIRST_VP}",
        when="the guest opens its channel",
        then="it names that processor for the channel's interrupt",
        source="channel_mgmt.c init_vp_index(): vPCI is no performance channel",
        scenario=UNORDERED,
        check=aimed_at_cpu_0,
    ),
    GuestCase(
        id="signals-name-the-connection",
        strength="linux",
        about="vmbus",
        given="A guest whose channel is open",
        when="it signals that it has written a packet",
        then="the hypercall names the connection of the channel's offer",
        source="connection.c vmbus_set_event()",
        scenario=OFFERED,
        check=connection_named,
    ),
)
