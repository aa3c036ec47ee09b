# SPDX-License-Identifier: MIT
"""What crossed between guest and host, out of a trace, in a form in which two guests compare.

Control messages, ring packets, hypercalls, accesses to configuration space and to device memory,
with every byte as sent: padding, transaction ids and GPADL handles, too. What does not cross is not
compared: time, contexts, and on which processor a call was made. Addresses of the guest's own
memory are numbered as they come in a lane, since each guest has its own; so are those that a
call's input still holds of an earlier message. Knows no guest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

import msgspec

from protocol.errors import WireFormatError
from protocol.hypercall import HVCALL_MMIO_READ, HVCALL_MMIO_WRITE
from protocol.ids import VpIndex
from protocol.link import (
    BarRead,
    BarWritten,
    ConfigRead,
    ConfigWritten,
    HypercallMade,
    MessagePosted,
    PacketPublished,
    UnclaimedAccess,
)
from protocol.vmbus import (
    VmbusChannelGpadlBody,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    parse_message,
)
from sim.trace import Stamped
from sim.wire_lanes import LaneReader

WIRE: Final = frozenset(
    {
        *(MessagePosted, PacketPublished, HypercallMade),
        *(ConfigRead, ConfigWritten, BarRead, BarWritten, UnclaimedAccess),
    }
)
PAGE_BYTES: Final = 4096
_VP: Final = VpIndex(0)  # whoever made a call
_WORD: Final = Struct("<Q")
_FILLED_IN_PART: Final = frozenset({HVCALL_MMIO_READ, HVCALL_MMIO_WRITE})

Number = Callable[[int], int]  # of one of the guest's pages, by its frame


class Crossing(msgspec.Struct, frozen=True):
    """One thing that crossed. ``seq`` is its place in the trace, ``event`` what is compared.

    ``lane`` is the bus it belongs to, or ``connection``.
    """

    seq: int
    lane: str
    event: msgspec.Struct


def wire_of(events: Iterable[Stamped]) -> tuple[Crossing, ...]:
    """Everything of a trace that crossed, in its order."""
    lanes, pages = LaneReader(), dict[str, dict[int, int]]()
    crossed = []
    for stamped in events:
        lane = lanes.read(stamped.event)
        if type(stamped.event) in WIRE:
            known = pages.setdefault(lane, {})

            def number(frame: int, known: dict[int, int] = known) -> int:
                return known.setdefault(frame, len(known) + 1)

            event = _comparable(stamped.event, number)
            if isinstance(event, HypercallMade) and event.code in _FILLED_IN_PART:
                event = msgspec.structs.replace(event, input=_known_numbered(event.input, known))
            crossed.append(Crossing(stamped.seq, lane, event))
    return tuple(crossed)


def _comparable(event: msgspec.Struct, number: Number) -> msgspec.Struct:
    if isinstance(event, HypercallMade):
        return msgspec.structs.replace(event, vp=_VP)
    if isinstance(event, MessagePosted) and event.direction == "guest-to-host":
        return msgspec.structs.replace(event, payload=_numbered(event.payload, number))
    return event


def _known_numbered(data: bytes, known: Mapping[int, int]) -> bytes:
    """A call's input, of which the guest fills in a part, with pages that were told before."""

    def word(value: int) -> int:
        frame, offset = divmod(value, PAGE_BYTES)
        return value if offset else known.get(frame, frame) * PAGE_BYTES

    return b"".join(_WORD.pack(word(value)) for (value,) in _WORD.iter_unpack(data))


def _numbered(payload: bytes, number: Number) -> bytes:
    """A guest's control message, with its pages numbered; a damaged one as it is."""
    try:
        message: Any = parse_message(payload)
    except WireFormatError:
        return payload
    change = _PAGES_IN.get(type(message))
    return payload if change is None else bytes(change(message, number).build())


def _contact(message: VmbusChannelInitiateContact, number: Number) -> VmbusChannelInitiateContact:
    """Three addresses; from 5.0 on the first is none, but small numbers."""

    def page(address: int) -> int:
        return address if address < PAGE_BYTES else number(address // PAGE_BYTES) * PAGE_BYTES

    return msgspec.structs.replace(
        message,
        interrupt_page=page(message.interrupt_page),
        monitor_page1=page(message.monitor_page1),
        monitor_page2=page(message.monitor_page2),
    )


def _header(message: VmbusChannelGpadlHeader, number: Number) -> VmbusChannelGpadlHeader:
    ranges = tuple(
        msgspec.structs.replace(each, pfn_array=tuple(map(number, each.pfn_array)))
        for each in message.range
    )
    return msgspec.structs.replace(message, range=ranges)


def _body(message: VmbusChannelGpadlBody, number: Number) -> VmbusChannelGpadlBody:
    return msgspec.structs.replace(message, pfn=tuple(map(number, message.pfn)))


_PAGES_IN: Final[Mapping[type, Callable[[Any, Number], Any]]] = MappingProxyType(
    {
        VmbusChannelInitiateContact: _contact,
        VmbusChannelGpadlHeader: _header,
        VmbusChannelGpadlBody: _body,
    }
)
