# SPDX-License-Identifier: MIT
"""How the open items of failure show: silent hosts, lost memory, full rings, callbacks in the way.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from guest.events import (
    EjectQueued,
    FunctionReturned,
    MsiComposed,
    MsiNotComposed,
    RelationsQueued,
    RequestCompleted,
)
from host.events import BlockInvalidateSent
from protocol.link import MessagePosted, PacketPublished
from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED, ChannelMessageType
from protocol.vpci import MessageType
from sim.fault_events import FaultInjected
from sim.faults import ALLOCATION_FAILURE, RING_FULL
from sim.oracles.known import Signature
from sim.oracles.law import Sees, to_host

ANSWERED_BY: Final[Mapping[int, int]] = {
    ChannelMessageType.CHANNELMSG_GPADL_HEADER: ChannelMessageType.CHANNELMSG_GPADL_CREATED,
    ChannelMessageType.CHANNELMSG_OPENCHANNEL: ChannelMessageType.CHANNELMSG_OPENCHANNEL_RESULT,
}
LIST: Final = -1  # in place of a transaction id
CALLBACK: Final = "vmbus_on_event"
SENT_ONCE: Final = frozenset(
    message.name
    for message in (
        MessageType.PCI_EJECTION_COMPLETE,
        MessageType.PCI_DELETE_INTERRUPT_MESSAGE,
        MessageType.PCI_RESOURCES_RELEASED,
        MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS,
    )
)
# What a message from the host needs on its way; the last is VMBus's own.
TAKEN_IN: Final = frozenset({"HvDrState", "HvDrWork", "PacketBuffer", "HvPciDev", "OnMessageWork"})


class PolledPastTheGate(Signature):
    """Composing has called the callback itself, and the callback queued a work."""

    item = "O6"
    kinds = frozenset({"null-dereference", "use-after-free"})
    what = ("hbus->wq", "WorkQueue.")

    def _queued(self, _event: EjectQueued | RelationsQueued, _at_ns: int, who: object) -> None:
        name = str(getattr(who, "name", who))
        self.possible |= not name.rpartition(":")[2].startswith(CALLBACK)

    sees: ClassVar[Sees] = {EjectQueued: _queued, RelationsQueued: _queued}


class SilentHost(Signature):
    """A request, or the question for a list, is not answered, and nobody takes the channel away."""

    item = "O10"
    kinds = frozenset({"hang"})

    def __init__(self) -> None:
        super().__init__()
        self._open: set[tuple[int, int]] = set()  # relid, transaction id; LIST for a list

    def _published(self, event: PacketPublished, *_: object) -> None:
        wants = event.flags & VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
        if wants and event.direction == "guest-to-host":
            self._open.add((event.relid, event.transaction_id))
            self.possible = True

    def _completed(self, event: RequestCompleted, *_: object) -> None:
        self._open.discard((event.relid, event.transaction_id))
        self.possible = bool(self._open)

    def _asked(self, event: PacketPublished, *_: object) -> None:
        self._open.add((event.relid, LIST))
        self.possible = True

    def _listed(self, event: RelationsQueued, *_: object) -> None:
        self._open.discard((event.relid, LIST))
        self.possible = bool(self._open)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._open.clear()

    sees: ClassVar[Sees] = {
        PacketPublished: _published,
        RequestCompleted: _completed,
        to_host(MessageType.PCI_QUERY_BUS_RELATIONS): _asked,
        RelationsQueued: _listed,
    }


class SilentServer(Signature):
    """A channel that was offered cannot be opened: its memory, or itself, is never spoken of."""

    item = "O10"
    kinds = frozenset({"hang"})
    what = ("CHANNELMSG_GPADL_HEADER", "CHANNELMSG_OPENCHANNEL")

    def __init__(self) -> None:
        super().__init__()
        self._open: set[tuple[int, bytes]] = set()  # kind of message, relid

    def _posted(self, event: MessagePosted, *_: object) -> None:
        kind, relid = int.from_bytes(event.payload[:4], "little"), event.payload[8:12]
        if kind in ANSWERED_BY:
            self._open.add((ANSWERED_BY[kind], relid))
        if event.direction == "host-to-guest":
            self._open.discard((kind, relid))
        self.possible = bool(self._open)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._open.clear()

    sees: ClassVar[Sees] = {MessagePosted: _posted}


class InvalidatedWhileLeaving(Signature):
    """A notice of stale blocks met a driver that was taking its callback back."""

    item = "O11"
    kinds = frozenset({"null-dereference", "use-after-free"})
    where = (CALLBACK,)
    what = ("block_invalidate", "FunctionInstance.", "WorkQueue.", "read_stale_blocks")

    def _notice(self, _event: BlockInvalidateSent, *_: object) -> None:
        self.possible = True

    sees: ClassVar[Sees] = {BlockInvalidateSent: _notice}


class SentOnce(Signature):
    """The ring was full for a message that nobody sends again."""

    item = "O14"
    kinds = frozenset({"lost-device"})

    def _failed(self, event: FaultInjected, *_: object) -> None:
        self.shown |= event.fault == RING_FULL and event.at in SENT_ONCE

    sees: ClassVar[Sees] = {FaultInjected: _failed}


class MessageWithoutMemory(Signature):
    """There was no memory to take a message in, and nobody asks for it again."""

    item = "O15"
    kinds = frozenset({"hang", "lost-device"})

    def _failed(self, event: FaultInjected, *_: object) -> None:
        self.shown |= event.fault == ALLOCATION_FAILURE and event.at in TAKEN_IN

    def leaks(self) -> Mapping[str, int]:
        return {"relid": 1} if self.shown else {}  # of an offer that was never seen

    sees: ClassVar[Sees] = {FaultInjected: _failed}


class EmptyMessage(Signature):
    """An interrupt whose composing failed is left with a message of zeroes."""

    item = "O17"

    def __init__(self) -> None:
        super().__init__()
        self._empty: set[tuple[int, int]] = set()

    def _not_composed(self, event: MsiNotComposed, *_: object) -> None:
        self._empty.add((event.relid, event.irq))
        self.shown = True

    def _composed(self, event: MsiComposed, *_: object) -> None:
        self._empty.discard((event.relid, event.irq))
        self.shown = bool(self._empty)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._empty.clear()

    sees: ClassVar[Sees] = {MsiNotComposed: _not_composed, MsiComposed: _composed}


class RingLeftBehind(Signature):
    """A channel could not be closed, so that its ring was not freed, nor what belongs to it."""

    item = "O35"
    lost = ("block of pages", "packet buffer", "Requestor", "bitmap")

    def __init__(self) -> None:
        super().__init__()
        self._kept = 0

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        if event.function == "vmbus_close":
            self._kept += 1
            self.shown = True

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._kept = 0

    def leaks(self) -> Mapping[str, int]:
        return dict.fromkeys(self.lost, self._kept)

    sees: ClassVar[Sees] = {FunctionReturned: _returned}
