# SPDX-License-Identifier: MIT
"""Control messages of VMBus that a guest posts: right ones to begin with, and what may not be lost.

Knows messages and no rings.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from host.events import MessageRefused
from protocol.codec import WireRecord
from protocol.ids import RelId
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelModifychannel,
    VmbusChannelOpenChannel,
    VmbusChannelRelidReleased,
)

C = ChannelMessageType
WORD: Final = 4
ANOTHER_HANDLE: Final = 0xE2E10
NOWHERE_HANDLE: Final = 0xE3E10  # of a list of pages that the guest does not have
# What a guest may post, and the structure of each.
POSTED: Final[Mapping[int, type[WireRecord]]] = {
    C.CHANNELMSG_REQUESTOFFERS: VmbusChannelMessageHeader,
    C.CHANNELMSG_OPENCHANNEL: VmbusChannelOpenChannel,
    C.CHANNELMSG_CLOSECHANNEL: VmbusChannelCloseChannel,
    C.CHANNELMSG_GPADL_HEADER: VmbusChannelGpadlHeader,
    C.CHANNELMSG_GPADL_BODY: VmbusChannelGpadlBody,
    C.CHANNELMSG_GPADL_TEARDOWN: VmbusChannelGpadlTeardown,
    C.CHANNELMSG_RELID_RELEASED: VmbusChannelRelidReleased,
    C.CHANNELMSG_INITIATE_CONTACT: VmbusChannelInitiateContact,
    C.CHANNELMSG_UNLOAD: VmbusChannelMessageHeader,
    C.CHANNELMSG_MODIFYCHANNEL: VmbusChannelModifychannel,
}
# Known by their type alone: nothing of the rest is read.
BARE: Final = frozenset({C.CHANNELMSG_REQUESTOFFERS, C.CHANNELMSG_UNLOAD})


@lru_cache(maxsize=8)
def from_a_guest(opening: tuple[bytes, ...], relid: RelId) -> tuple[bytes, ...]:
    """Every message that a guest may post of the channel that ``opening`` opens."""
    shared = VmbusChannelGpadlHeader.parse(opening[0])
    in_parts = VmbusChannelGpadlHeader(
        child_relid=relid, gpadl=ANOTHER_HANDLE, range_buflen=24, rangecount=1
    )
    records: tuple[WireRecord, ...] = (
        VmbusChannelInitiateContact(vmbus_version_requested=0x50003, interrupt_page=2),
        VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_REQUESTOFFERS),
        *_nowhere(shared, VmbusChannelOpenChannel.parse(opening[-1])),
        in_parts,
        VmbusChannelGpadlBody(gpadl=ANOTHER_HANDLE, pfn=(4096, 0x100)),
        VmbusChannelGpadlTeardown(child_relid=relid, gpadl=shared.gpadl),
        VmbusChannelGpadlTeardown(child_relid=relid, gpadl=ANOTHER_HANDLE),
        VmbusChannelModifychannel(child_relid=relid, target_vp=1),
        VmbusChannelCloseChannel(child_relid=relid),
        VmbusChannelRelidReleased(child_relid=relid),
        VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_UNLOAD),
    )
    return (*opening, *(record.build() for record in records))


def _nowhere(
    shared: VmbusChannelGpadlHeader, opens: VmbusChannelOpenChannel
) -> tuple[WireRecord, WireRecord]:
    """The same two messages, of pages that the guest does not have."""
    area = shared.range[0]
    moved = replace(area, pfn_array=tuple(1 << 20 | pfn for pfn in area.pfn_array))
    return (
        replace(shared, gpadl=NOWHERE_HANDLE, range=(moved,)),
        replace(opens, ringbuffer_gpadlhandle=NOWHERE_HANDLE),
    )


def control_complaints(payload: bytes, events: Collection[object]) -> list[str]:
    """What the host has done wrong with a message: refuse it and say nothing."""
    wrong = _certainly_wrong(payload)
    if wrong is None or any(isinstance(event, MessageRefused) for event in events):
        return []
    return [f"nobody was told that a message was refused: {wrong}"]


def _certainly_wrong(payload: bytes) -> str | None:
    if len(payload) < WORD:
        return "too short for a type"
    code = int.from_bytes(payload[:WORD], "little")
    record = POSTED.get(code)
    if record is None:
        return "a type that no guest posts"
    if code not in BARE and len(payload) < record.SIZE:
        return "too short for its message"
    return None
