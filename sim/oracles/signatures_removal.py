# SPDX-License-Identifier: MIT
"""How the open items of removal show: functions that are removed twice, or not at all.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar, Final

from guest.events import (
    ChildAdded,
    ChildRemoved,
    ChildSlotDestroyed,
    DriverRemoved,
    EjectCompleted,
    EjectQueued,
    FunctionReturned,
    RelationsQueued,
)
from host.events import Rescinded
from sim.oracles.known import Signature
from sim.oracles.law import Sees, forget_all
from sim.violation import Violation

CHILD: Final = "HvPciDev"
EJECT_WORK: Final = "hv_eject_device_work"
QUEUED_AGAIN: Final = f"{EJECT_WORK} was initialised again while it was queued"
UNLINKED_TWICE: Final = frozenset({"list-corruption", "use-after-free", "refcount", "double-free"})

Place = tuple[int, int]  # relid, wslot


class _RemovedTwice(Signature):
    """A function whose eject waits is removed by a list; ``overtook`` are such lists, by relid."""

    kinds = UNLINKED_TWICE
    where = (EJECT_WORK,)
    coalesced: ClassVar[bool]

    def __init__(self) -> None:
        super().__init__()
        self._waiting: set[Place] = set()
        self._overtook: set[int] = set()
        self._gone: set[Place] = set()  # removed by a list

    def _added(self, event: ChildAdded, *_: object) -> None:
        self._gone.discard((event.relid, event.wslot))

    def _queued(self, event: EjectQueued, *_: object) -> None:
        place = event.relid, event.wslot
        self._waiting.add(place)
        self._overtook.discard(event.relid)
        self.shown |= place in self._gone and not self.coalesced

    def _list_queued(self, event: RelationsQueued, *_: object) -> None:
        if event.coalesced:
            self._overtook.add(event.relid)

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        place = event.relid, event.wslot
        if event.why == "relations":
            self._gone.add(place)
        if event.why == "relations" and place in self._waiting:
            self.shown |= (event.relid in self._overtook) is self.coalesced

    def _completed(self, event: EjectCompleted, *_: object) -> None:
        self._waiting.discard((event.relid, event.wslot))

    def crashed(self, *_: object) -> None:
        super().crashed()
        forget_all(self._waiting, self._overtook, self._gone)

    sees: ClassVar[Sees] = {
        ChildAdded: _added,
        EjectQueued: _queued,
        RelationsQueued: _list_queued,
        ChildRemoved: _removed,
        EjectCompleted: _completed,
    }


class OvertakenEject(_RemovedTwice):
    item = "O1"
    coalesced = True


class ListThenEject(_RemovedTwice):
    item = "O2"
    coalesced = False


class RepeatedEject(Signature):
    """A second eject was queued for a function that was still there."""

    item = "O3"
    kinds = UNLINKED_TWICE
    where = (EJECT_WORK, "vmbus_on_event")

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[Place] = set()

    def explains(self, violation: Violation) -> bool:
        """Whoever composes an interrupt meanwhile reads the second eject in his own context."""
        again = self.shown and violation.kind in self.kinds
        return super().explains(violation) or (again and QUEUED_AGAIN in violation.message)

    def _added(self, event: ChildAdded, *_: object) -> None:
        self._asked.discard((event.relid, event.wslot))

    def _queued(self, event: EjectQueued, *_: object) -> None:
        place = event.relid, event.wslot
        self.shown |= place in self._asked
        self._asked.add(place)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._asked.clear()

    sees: ClassVar[Sees] = {ChildAdded: _added, EjectQueued: _queued}


class SlotOfRevived(Signature):
    """A scan adds a function again, with its slot, which the eject then destroys.

    The laws about dead functions tell of a function that was added so. This is about the scan
    itself: what it adds is on no list of the bus yet, where the slot's end looks for its users.
    """

    item = "O5"
    kinds = frozenset({"use-after-free"})
    what = ("PciSlot.",)

    def _destroyed(self, *_: object) -> None:
        self.possible = True

    sees: ClassVar[Sees] = {ChildSlotDestroyed: _destroyed}


class _LostChildren(Signature):
    """Functions that were on the list of a bus when its driver let go of it without them."""

    def __init__(self) -> None:
        super().__init__()
        self._on_list: Counter[int] = Counter()
        self._rescinded: set[int] = set()
        self._lost = 0

    def _added(self, event: ChildAdded, *_: object) -> None:
        self._on_list[event.relid] += 1

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        self._on_list[event.relid] -= 1

    def _taken_back(self, event: Rescinded, *_: object) -> None:
        self._rescinded.add(event.relid)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._on_list.clear()
        self._lost = 0  # the dead have lost everything

    lists: ClassVar[Sees] = {ChildAdded: _added, ChildRemoved: _removed, Rescinded: _taken_back}

    def _lose(self, relid: int) -> None:
        self._lost += self._on_list.pop(relid, 0)
        self.shown = self._lost > 0

    def leaks(self) -> Mapping[str, int]:
        return {CHILD: self._lost}


class RescindedChildren(_LostChildren):
    item = "O9"

    def _bus_gone(self, event: DriverRemoved, *_: object) -> None:
        if event.relid in self._rescinded:
            self._lose(event.relid)

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        if event.function == "hv_pci_probe" and event.errno and event.relid in self._rescinded:
            self._lose(event.relid)

    sees: ClassVar[Sees] = {
        **_LostChildren.lists,
        DriverRemoved: _bus_gone,
        FunctionReturned: _returned,
    }


class FailedProbe(_LostChildren):
    """Or a work that waited for the bus writes to the channel, which was closed before it ran, or
    waits for an answer that the closed channel does not bring, and probe for the work."""

    item = "O7"
    kinds = frozenset({"null-dereference", "hang"})
    what = ("ring of channel", "waits for flush_workqueue(hv_pci")

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        self.possible |= event.errno != 0  # some step of probe, and probe itself will follow
        if event.function == "hv_pci_probe" and event.errno and event.relid not in self._rescinded:
            self._lose(event.relid)

    sees: ClassVar[Sees] = {**_LostChildren.lists, FunctionReturned: _returned}
