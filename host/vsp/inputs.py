# SPDX-License-Identifier: MIT
"""What reaches the VSP: packets, the administrator, timers, and the results of effects."""

import msgspec

from host.effects import InterruptEntry, Ticket
from host.events import HostEvent
from host.vsp.state import FunctionFacts
from protocol.ids import SlotNumber, TransactionId


class PacketReceived(msgspec.Struct, frozen=True, gc=False):
    """One packet from the guest's ring; ``payload`` with the ring's padding."""

    packet_type: int
    transaction_id: TransactionId
    wants_completion: bool
    payload: bytes


class ChannelOpened(msgspec.Struct, frozen=True, gc=False):
    pass


class RingBroken(msgspec.Struct, frozen=True, gc=False):
    """The guest's ring cannot be followed any more."""

    reason: str


class ChannelClosed(msgspec.Struct, frozen=True, gc=False):
    """The guest closed the channel, or the VMBus connection was reset."""


# The administrator


class EjectRequested(msgspec.Struct, frozen=True, gc=False):
    wslot: SlotNumber


class RescindRequested(msgspec.Struct, frozen=True, gc=False):
    """Withdraw the offer now, asking nobody."""


class SurpriseRemoved(msgspec.Struct, frozen=True, gc=False):
    """The device is physically gone: all functions of the bus."""


class RelationsChanged(msgspec.Struct, frozen=True):
    """These functions, and only these, are on the bus now."""

    functions: tuple[FunctionFacts, ...]


class BlockInvalidated(msgspec.Struct, frozen=True, gc=False):
    """The physical function changed configuration blocks; bit i of ``block_mask`` is block i."""

    wslot: SlotNumber
    block_mask: int


class FaultArmed(msgspec.Struct, frozen=True, gc=False):
    """Do nothing about the next request of this type, and complete it with ``answer``.

    None completes it never. ``event`` says so when it has happened.
    """

    message_type: int
    answer: bytes | None
    event: HostEvent


# Time


class TimerExpired(msgspec.Struct, frozen=True, gc=False):
    name: str
    wslot: SlotNumber


class InvalidationDue(msgspec.Struct, frozen=True, gc=False):
    """The turn asked for by ``effects.RequestTurn`` has come and the ring has room."""

    wslot: SlotNumber


# Results of effects


class InterruptsCreated(msgspec.Struct, frozen=True):
    """``status`` 0: all of them. Otherwise ``entries`` are those made before one failed."""

    wslot: SlotNumber
    ticket: Ticket
    status: int
    entries: tuple[InterruptEntry, ...]


class ResourcesRead(msgspec.Struct, frozen=True, gc=False):
    wslot: SlotNumber
    ticket: Ticket
    bars: tuple[int, int, int, int, int, int]


class BlockFetched(msgspec.Struct, frozen=True, gc=False):
    wslot: SlotNumber
    block_id: int
    ticket: Ticket
    status: int
    data: bytes


class BlockStored(msgspec.Struct, frozen=True, gc=False):
    wslot: SlotNumber
    block_id: int
    ticket: Ticket
    status: int


Input = (
    PacketReceived
    | ChannelOpened
    | ChannelClosed
    | RingBroken
    | EjectRequested
    | RescindRequested
    | SurpriseRemoved
    | RelationsChanged
    | BlockInvalidated
    | FaultArmed
    | TimerExpired
    | InvalidationDue
    | InterruptsCreated
    | ResourcesRead
    | BlockFetched
    | BlockStored
)
