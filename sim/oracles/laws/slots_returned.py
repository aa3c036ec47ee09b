# SPDX-License-Identifier: MIT
"""The PCI slots that a bus registered are given up before the bus is gone.

Not those of a bus that hibernates: its driver's removal leaves the root bus alone where suspend or
resume has failed (open item O8), or the bus is asleep (O33).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import (
    ChildSlotCreated,
    ChildSlotDestroyed,
    DriverRemoved,
    FunctionReturned,
    KernelCrashed,
    ProcessesFrozen,
    RootBusRemovalBegan,
)
from host.events import ChannelOffered
from sim.oracles.hibernation import Hibernations
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget

Place = tuple[int, int]  # relid, wslot


class SlotsReturned(Law):
    """``held`` has the slots that are registered, and how often."""

    name = "a bus gives its PCI slots up before it goes"
    kind = "leak"

    def __init__(self) -> None:
        self._held: dict[Place, int] = {}
        self._whole: set[int] = set()  # relids whose root bus goes with their driver
        self._hibernations = Hibernations()

    def _hibernates(self, event: ProcessesFrozen | FunctionReturned, *_: object) -> None:
        self._hibernations.see(event)

    def _began(self, event: RootBusRemovalBegan, *_: object) -> None:
        self._whole.add(event.relid)

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        forget(self._held, event.relid)

    def _created(self, event: ChildSlotCreated, *_: object) -> None:
        place = event.relid, event.wslot
        self._held[place] = self._held.get(place, 0) + 1

    def _destroyed(self, event: ChildSlotDestroyed, *_: object) -> Finding:
        place = event.relid, event.wslot
        if not self._held.get(place):
            return f"the slot of {event.wslot:#x} was given up although it is not registered"
        self._held[place] -= 1
        return None

    def _removed(self, event: DriverRemoved, *_: object) -> Finding:
        for (relid, wslot), often in self._held.items():
            if relid == event.relid and often:
                return self._still(event.relid, wslot)
        return None

    def _still(self, relid: int, wslot: int) -> Finding:
        message = f"the slot of {wslot:#x} is still registered, and its bus has gone"
        if relid in self._whole:
            return message
        if relid in self._hibernations.half_down:
            return OpenItem("O8", message)
        return OpenItem("O33", message) if self._hibernations.under_way else message

    def _crashed(self, *_: object) -> None:
        self._held.clear()
        self._hibernations = Hibernations()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChildSlotCreated: _created,
        ChildSlotDestroyed: _destroyed,
        DriverRemoved: _removed,
        FunctionReturned: _hibernates,
        ProcessesFrozen: _hibernates,
        RootBusRemovalBegan: _began,
    }
