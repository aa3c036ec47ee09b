# SPDX-License-Identifier: MIT
"""What crossed the border between guest and host: one past-tense record per happening.

Whoever does the thing emits the record; laws, traces and reports read it, and cannot tell from it
which guest or which host was there. Holds ids and bytes, never objects; knows no time and no order
(the trace stamps both).
"""

from typing import Literal, TypeAlias

import msgspec

from protocol.ids import Gpa, RelId, SlotNumber, TransactionId, Vector, VpIndex

Direction: TypeAlias = Literal["guest-to-host", "host-to-guest"]


class LinkEvent(msgspec.Struct, frozen=True, gc=False):
    """Base of all: immutable, hashable, cheap to make (no field can form a cycle)."""


class MessagePosted(LinkEvent, frozen=True, gc=False):
    """A VMBus control message: posted by the guest, or put into a SynIC slot by the host."""

    direction: Direction
    payload: bytes  # at most 240 bytes, from the channel message header on


class PacketPublished(LinkEvent, frozen=True, gc=False):
    """A ring packet whose write index was published. ``payload`` is as written, unpadded."""

    direction: Direction
    relid: RelId
    packet_type: int
    transaction_id: TransactionId
    flags: int
    payload: bytes


class HypercallMade(LinkEvent, frozen=True, gc=False):
    """A hypercall returned: call code (16 bits) and HV_STATUS.

    ``input`` is what it was given; nothing where it posts a message, which MessagePosted holds.
    """

    vp: VpIndex
    code: int
    result: int
    input: bytes


class ConfigRead(LinkEvent, frozen=True, gc=False):
    """Configuration space was read; ``value`` is all ones where nothing answered."""

    bus: str
    wslot: SlotNumber
    offset: int
    size: int
    value: int


class ConfigWritten(LinkEvent, frozen=True, gc=False):
    """Configuration space was written with ``value``, whatever the device made of it."""

    bus: str
    wslot: SlotNumber
    offset: int
    size: int
    value: int


class BarRead(LinkEvent, frozen=True, gc=False):
    """Mapped BAR memory was read."""

    bus: str
    wslot: SlotNumber
    bar: int
    offset: int
    size: int
    value: int


class BarWritten(LinkEvent, frozen=True, gc=False):
    """Mapped BAR memory was written."""

    bus: str
    wslot: SlotNumber
    bar: int
    offset: int
    size: int
    value: int


class UnclaimedAccess(LinkEvent, frozen=True, gc=False):
    """An MMIO access that nothing claimed: reads give all ones, writes vanish."""

    gpa: Gpa
    size: int


class InterruptDelivered(LinkEvent, frozen=True, gc=False):
    """A device interrupt reached a virtual processor."""

    vp: VpIndex
    vector: Vector


class ChannelEvent(LinkEvent, frozen=True, gc=False):
    """The host signalled a channel: its event flag was set in the SynIC."""

    relid: RelId
