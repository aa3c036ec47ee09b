# SPDX-License-Identifier: MIT
"""The rings as memory that a guest shares: what it writes into their control words, and when."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from host.events import ChannelOpened
from protocol.hypercall import HVCALL_SIGNAL_EVENT
from protocol.link import HypercallMade, PacketPublished
from protocol.ring import packet_bytes
from protocol.ring_rules import FEATURE_PENDING_SEND_SZ
from sim.conformance.case import ONCE, GuestCase, Nonconforming
from sim.conformance.guest_cases.reading import premise
from sim.conformance.guest_cases.ring_limits import FULL, filled
from sim.conformance.guest_cases.scenarios import (
    ARRIVAL,
    ASSIGNED,
    SETTLED_NS,
    administrator,
    after,
    do,
    forge,
    repeated,
)
from sim.conformance.ring_looks import RingLook, RingWords
from sim.conformance.seen import Seen

STALL_NS: Final = 1_000_000
NOBODYS: Final = bytes.fromhex("ffff4942")  # a message of vPCI without a meaning
MESSAGE_BYTES: Final = 232
MANY: Final = 90  # messages of that size; a ring of Linux's holds 63
NEWS_BYTES: Final = packet_bytes(MESSAGE_BYTES)
FLOOD: Final = administrator(
    ASSIGNED,
    do("stall", ns=STALL_NS),
    repeated(MANY, forge(NOBODYS.ljust(MESSAGE_BYTES, b"\0"))),
    after(SETTLED_NS),
)
CLOSE: Final = "ring_buffer.c hv_pkt_iter_close()"
WAITS: Final = f"A host that has {MANY} messages for a guest, more than the ring holds"


def _news(seen: Seen) -> list[int]:
    """Where the host's messages were published that nobody knows."""
    return [
        seq
        for seq, packet in seen.events(PacketPublished)
        if packet.direction == "host-to-guest" and packet.payload[: len(NOBODYS)] == NOBODYS
    ]


def _signals_since(seen: Seen, seq: int) -> list[int]:
    calls = seen.events(HypercallMade)
    return [at for at, call in calls if at > seq and call.code == HVCALL_SIGNAL_EVENT]


def room_told(seen: Seen) -> None:
    came = _news(seen)
    premise(came, "a full ring")
    if len(came) < MANY:
        what = f"of {MANY} messages {len(came)} came: nobody told the host that there was room"
        raise Nonconforming(what, came[-1])


def room_told_once(seen: Seen) -> None:
    """A host that waits again has written something before."""
    came = _news(seen)
    premise(len(came) == MANY, "room for all messages")
    for before, signal in pairwise(_signals_since(seen, came[0])):
        if not any(before < seq < signal for seq in came):
            raise Nonconforming("it signalled again before anything came", signal)


def _while_reading(seen: Seen) -> RingLook:
    """The look at the signal that told the host of room."""
    came = _news(seen)
    premise(came, "a full ring")
    signals = _signals_since(seen, came[0])[:1]
    looks = [look for look in seen.rings if look.seq in signals]
    premise(looks, "telling the host of room")
    return looks[0]


def masked_while_read(seen: Seen) -> None:
    look, last = _while_reading(seen), seen.rings[-1]
    if not look.to_guest.interrupt_mask:
        raise Nonconforming("the ring was not masked while it was read", look.seq)
    if last.to_guest.interrupt_mask or last.to_guest.unread_bytes:
        mask, unread = last.to_guest.interrupt_mask, last.to_guest.unread_bytes
        raise Nonconforming(f"in the end the mask is {mask} and {unread} bytes are left")


def published_at_once(seen: Seen) -> None:
    """The signal comes as soon as there is room for one more, so the rest is still unread."""
    look = _while_reading(seen)
    free = look.to_guest.data_bytes - look.to_guest.unread_bytes
    if free > 2 * NEWS_BYTES:
        raise Nonconforming(f"{free} bytes were free when it told the host of room", look.seq)


def _words(seen: Seen) -> Iterator[tuple[int, RingWords]]:
    for look in seen.rings:
        yield look.seq, look.to_host
        yield look.seq, look.to_guest


def begin_zeroed(seen: Seen) -> None:
    opened = {seq for seq, _ in seen.events(ChannelOpened)}
    premise(opened, "opening its channel")
    for seq, words in _words(seen):
        due = words._replace(
            write_index=0,
            read_index=0,
            interrupt_mask=0,
            pending_send_sz=0,
            feature_bits=FEATURE_PENDING_SEND_SZ,
            others_zero=True,
        )
        if seq in opened and words != due:
            raise Nonconforming(f"a ring begins as {words}", seq)


def in_whole_words(seen: Seen) -> None:
    premise(seen.rings, "opening its channel")
    for seq, words in _words(seen):
        for index in (words.write_index, words.read_index):
            if index % 8 or index >= words.data_bytes:
                raise Nonconforming(f"an index is {index}", seq)
    filled(seen)


def wishes_nothing(seen: Seen) -> None:
    premise(seen.rings, "opening its channel")
    for look in seen.rings:
        if look.to_host.pending_send_sz:
            what = f"pending_send_sz is {look.to_host.pending_send_sz}"
            raise Nonconforming(what, look.seq)
    filled(seen)


CASES: Final = (
    GuestCase(
        id="host-told-of-room",
        strength="must",
        about="vmbus",
        given=WAITS,
        when="the guest reads what fits",
        then="it signals the host, which says in pending_send_sz that it waits for room",
        source=f"{CLOSE}; OpenVMM vmbus_ring",
        scenario=FLOOD,
        check=room_told,
    ),
    GuestCase(
        id="host-told-of-room-once",
        strength="linux",
        about="vmbus",
        given=WAITS,
        when="the guest reads on",
        then="it signals once for what the host waits for: when there is room and was none before",
        source=CLOSE,
        scenario=FLOOD,
        check=room_told_once,
    ),
    GuestCase(
        id="ring-masked-while-read",
        strength="linux",
        about="vmbus",
        given=WAITS,
        when="the guest reads what fits",
        then="interrupt_mask is 1 meanwhile, and 0 when the ring is empty",
        source="ring_buffer.c hv_begin_read(), hv_end_read()",
        scenario=FLOOD,
        check=masked_while_read,
    ),
    GuestCase(
        id="read-index-published-packet-by-packet",
        strength="linux",
        about="vmbus",
        given=WAITS,
        when="the guest reads what fits",
        then="the read index moves behind each packet, so that the host hears of room early",
        source="ring_buffer.c hv_ringbuffer_read(), hv_pkt_iter_close()",
        scenario=FLOOD,
        check=published_at_once,
    ),
    GuestCase(
        id="rings-begin-zeroed",
        strength="linux",
        about="vmbus",
        given="A bus that was just offered",
        when="the guest has opened its channel",
        then="the pages of both rings' words are zero but for feature bit 0",
        source="ring_buffer.c hv_ringbuffer_init()",
        scenario=ARRIVAL,
        check=begin_zeroed,
    ),
    GuestCase(
        id="indices-in-whole-words",
        strength="linux",
        about="vmbus",
        given="A guest whose ring to the host is full and has gone round before",
        when="either end reads and writes",
        then="each index is a multiple of 8 and less than the ring's size",
        source="ring_buffer.c hv_ringbuffer_write(), hv_pkt_iter_close()",
        scenario=FULL,
        versions=ONCE,
        check=in_whole_words,
    ),
    GuestCase(
        id="no-wish-for-room",
        strength="linux",
        about="vmbus",
        given="A guest whose ring to the host is full",
        when="it has more to send",
        then="pending_send_sz stays 0: it does not ask to be told of room",
        source="ring_buffer.c hv_ringbuffer_write(): only others set it",
        scenario=FULL,
        versions=ONCE,
        check=wishes_nothing,
    ),
)
