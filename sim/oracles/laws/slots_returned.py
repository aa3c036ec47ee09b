# SPDX-License-Identifier: MIT
"""The PCI slots that a bus registered are given up before the bus is gone."""

from __future__ import annotations

from typing import ClassVar

from guest.events import ChildSlotCreated, ChildSlotDestroyed, DriverRemoved, KernelCrashed
from host.events import ChannelOffered
from sim.oracles.law import Finding, Law, Sees, forget

Place = tuple[int, int]  # relid, wslot


class SlotsReturned(Law):
    """``held`` has the slots that are registered, and how often."""

    name = "a bus gives its PCI slots up before it goes"
    kind = "leak"

    def __init__(self) -> None:
        self._held: dict[Place, int] = {}

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
                return f"the slot of {wslot:#x} is still registered, and its bus has gone"
        return None

    def _crashed(self, *_: object) -> None:
        self._held.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        ChildSlotCreated: _created,
        ChildSlotDestroyed: _destroyed,
        DriverRemoved: _removed,
    }
