# SPDX-License-Identifier: MIT
"""How the open items of hibernation show: buses that are half down when somebody removes them.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from guest.events import (
    DriverRemoved,
    FunctionReturned,
    ProcessesFrozen,
    RescindFlagRaised,
    RootBusRemovalBegan,
)
from protocol.link import MessagePosted
from protocol.vmbus import ChannelMessageType
from sim.oracles.hibernation import THREAD, Hibernations
from sim.oracles.known import Signature
from sim.oracles.law import HEAD_BYTES, Sees

# What nobody gives back of a bus that was not installed when it was removed. Its root bus stays,
# and with it the domain, where that is the PCI core's to give back (newer kernels than 6.12).
LEFT: Final = ("WorkQueue", "PCI slot", "PCI domain", "relid")
OFFERS: Final = frozenset(
    int(message).to_bytes(HEAD_BYTES, "little")
    for message in (
        ChannelMessageType.CHANNELMSG_OFFERCHANNEL,
        ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER,
    )
)


class _RemovedHalfDown(Signature):
    """A bus that is not installed loses its driver, and its root bus and its queue stay."""

    def __init__(self) -> None:
        super().__init__()
        self._whole: set[int] = set()  # relids whose root bus goes with their driver
        self._left = 0
        self.hibernations = Hibernations()

    def _began(self, event: RootBusRemovalBegan, *_: object) -> None:
        self._whole.add(event.relid)

    def _removed(self, event: DriverRemoved, *_: object) -> None:
        if event.relid in self._whole:
            self._whole.discard(event.relid)
        elif self.is_mine(event.relid):
            self.shown = True
            self._left += 1
        self.forget(event.relid)

    def forget(self, relid: int) -> None:
        """The bus has gone."""

    def is_mine(self, relid: int) -> bool:
        """Whether this item is the reason that the bus is not installed."""
        raise NotImplementedError

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._whole.clear()
        self._left = 0
        self.hibernations = Hibernations()

    def leaks(self) -> Mapping[str, int]:
        return dict.fromkeys(LEFT, self._left)

    removals: ClassVar[Sees] = {RootBusRemovalBegan: _began, DriverRemoved: _removed}


class FailedHibernation(_RemovedHalfDown):
    """Its suspend or resume had failed before; or what still uses it finds it half down."""

    item = "O8"
    kinds = frozenset({"use-after-free", "null-dereference", "warning"})
    what = ("HvPciBus.", "WorkQueue.", "ring of channel", "irq domain with interrupts")

    def is_mine(self, relid: int) -> bool:
        return relid in self.hibernations.half_down

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        self.hibernations.see(event)
        self.possible |= bool(self.hibernations.half_down)

    sees: ClassVar[Sees] = {
        **_RemovedHalfDown.removals,
        FunctionReturned: _returned,
    }


class RemovedInItsSleep(_RemovedHalfDown):
    """A rescind is carried out while devices are put to sleep, or are asleep.

    What it frees and hibernation still uses is the bus with its locks and its queue, and what
    vmbus_close() takes off the channel: nothing of a function's, and nothing of the VMBus device,
    which the PM core holds. The removal meets nothing freed: suspend leaves the bus alone, and
    vmbus_close() does nothing to a channel that is closed.
    """

    item = "O33"
    kinds = frozenset({"use-after-free", "null-dereference"})
    where = (THREAD,)
    what = (
        *("HvPciBus.", "SpinLock.", "WorkQueue.", "hbus->wq is NULL"),
        *("Requestor.", "ring of channel"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._rescinded: set[int] = set()

    def is_mine(self, relid: int) -> bool:
        return relid in self._rescinded and relid not in self.hibernations.half_down

    def forget(self, relid: int) -> None:
        self._rescinded.discard(relid)

    def _hibernates(self, event: ProcessesFrozen | FunctionReturned, *_: object) -> None:
        self.hibernations.see(event)
        self.possible |= self.hibernations.under_way and bool(self._rescinded)

    def _raised(self, event: RescindFlagRaised, *_: object) -> None:
        self._rescinded.add(event.relid)
        self.possible |= self.hibernations.under_way

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._rescinded.clear()

    sees: ClassVar[Sees] = {
        **_RemovedHalfDown.removals,
        ProcessesFrozen: _hibernates,
        FunctionReturned: _hibernates,
        RescindFlagRaised: _raised,
    }


class DroppedOffers(Signature):
    """An offer or a rescind came after the bus had stopped to look at them."""

    item = "O34"

    def __init__(self) -> None:
        super().__init__()
        self._hibernations = Hibernations()
        self._lost = 0

    def _hibernates(self, event: ProcessesFrozen | FunctionReturned, *_: object) -> None:
        self._hibernations.see(event)

    def _posted(self, event: MessagePosted, *_: object) -> None:
        to_guest = event.direction == "host-to-guest"
        if self._hibernations.under_way and to_guest and event.payload[:HEAD_BYTES] in OFFERS:
            self._lost += 1

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._hibernations = Hibernations()
        self._lost = 0

    def leaks(self) -> Mapping[str, int]:
        return {"OnMessageWork": self._lost}

    sees: ClassVar[Sees] = {
        ProcessesFrozen: _hibernates,
        FunctionReturned: _hibernates,
        MessagePosted: _posted,
    }
