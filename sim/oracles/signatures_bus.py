# SPDX-License-Identifier: MIT
"""How the open items of a bus show: PCI devices, time, windows and power that outlive their cause.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from guest.events import (
    BridgeWindowAllocated,
    BusStateChanged,
    ChildAdded,
    ChildRemoved,
    D0Left,
    DomainChosen,
    FunctionReturned,
    ResourcesAssigned,
    ResourcesReleased,
)
from guest.pci_core.events import PciDevAdded, PciDevRemoved
from host.events import ChannelOffered, EjectCompleteReceived, EjectOverdue, EjectSent
from protocol.link import UnclaimedAccess
from sim.oracles.addresses import address_of
from sim.oracles.known import Signature
from sim.oracles.law import Sees, forget_all

Place = tuple[int, int]  # relid or domain, and wslot


class ZombieOfAList(Signature):
    """A list has removed a function, and its PCI device is still on the bus."""

    item = "O16"

    def __init__(self) -> None:
        super().__init__()
        self._domain: dict[int, int] = {}
        self._devices: set[Place] = set()  # domain, wslot

    def _chosen(self, event: DomainChosen, *_: object) -> None:
        self._domain[event.relid] = event.domain

    def _dev_added(self, event: PciDevAdded, *_: object) -> None:
        self._devices.add(address_of(event.address))

    def _dev_removed(self, event: PciDevRemoved, *_: object) -> None:
        self._devices.discard(address_of(event.address))

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        place = self._domain.get(event.relid, 0), event.wslot
        self.shown |= event.why == "relations" and place in self._devices

    def crashed(self, *_: object) -> None:
        super().crashed()
        forget_all(self._domain, self._devices)

    sees: ClassVar[Sees] = {
        DomainChosen: _chosen,
        PciDevAdded: _dev_added,
        PciDevRemoved: _dev_removed,
        ChildRemoved: _removed,
    }


class OverdueInProbe(Signature):
    """An eject ran out of time while the bus was still being probed."""

    item = "O18"

    def __init__(self) -> None:
        super().__init__()
        self._relid: dict[str, int] = {}
        self._asked: set[Place] = set()
        self._installed: set[int] = set()

    def _sent(self, event: EjectSent, *_: object) -> None:
        self._asked.add((self._relid.get(event.bus, 0), event.wslot))

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relid[event.bus] = event.relid

    def _state(self, event: BusStateChanged, *_: object) -> None:
        if event.state == "installed":
            self._installed.add(event.relid)

    def _overdue(self, event: EjectOverdue, *_: object) -> None:
        relid = self._relid.get(event.bus, 0)
        self.shown |= (relid, event.wslot) in self._asked and relid not in self._installed

    def crashed(self, *_: object) -> None:
        super().crashed()
        forget_all(self._asked, self._installed)

    sees: ClassVar[Sees] = {
        ChannelOffered: _offered,
        BusStateChanged: _state,
        EjectSent: _sent,
        EjectOverdue: _overdue,
    }


class TakenTooEarly(Signature):
    """The guest touches a function that it was asked for, has not given up, and that is gone."""

    item = "O19"

    def __init__(self) -> None:
        super().__init__()
        self._asked: set[tuple[str, int]] = set()

    def _sent(self, event: EjectSent, *_: object) -> None:
        self._asked.add((event.bus, event.wslot))

    def _answered(self, event: EjectCompleteReceived, *_: object) -> None:
        self._asked.discard((event.bus, event.wslot))

    def _unclaimed(self, _event: UnclaimedAccess, *_: object) -> None:
        self.shown |= bool(self._asked)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._asked.clear()

    sees: ClassVar[Sees] = {
        EjectSent: _sent,
        EjectCompleteReceived: _answered,
        UnclaimedAccess: _unclaimed,
    }


class LateFunction(Signature):
    """A function joined a bus whose windows had been sized."""

    item = "O21"

    def __init__(self) -> None:
        super().__init__()
        self._installed: set[int] = set()

    def _state(self, event: BusStateChanged, *_: object) -> None:
        if event.state == "installed":
            self._installed.add(event.relid)

    def _added(self, event: ChildAdded, *_: object) -> None:
        self.shown |= event.relid in self._installed

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._installed.clear()

    sees: ClassVar[Sees] = {BusStateChanged: _state, ChildAdded: _added}


class WindowLeftBehind(Signature):
    """A bus had its low window when the high one could not be claimed."""

    item = "O28"

    def __init__(self) -> None:
        super().__init__()
        self._low: set[int] = set()
        self._left = 0

    def _claimed(self, event: BridgeWindowAllocated, *_: object) -> None:
        if event.window == "low":
            self._low.add(event.relid)
        else:
            self._low.discard(event.relid)

    def _returned(self, event: FunctionReturned, *_: object) -> None:
        if event.function == "hv_pci_allocate_bridge_windows" and event.relid in self._low:
            self._left += 1
            self._low.discard(event.relid)
            self.shown = True

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._low.clear()
        self._left = 0

    def leaks(self) -> Mapping[str, int]:
        return {"MMIO range": self._left}

    sees: ClassVar[Sees] = {BridgeWindowAllocated: _claimed, FunctionReturned: _returned}


class NothingReleased(Signature):
    """A bus left D0 with resources that were assigned and never released."""

    item = "O23"

    def __init__(self) -> None:
        super().__init__()
        self._assigned: set[Place] = set()

    def _assign(self, event: ResourcesAssigned, *_: object) -> None:
        self._assigned.add((event.relid, event.wslot))

    def _release(self, event: ResourcesReleased, *_: object) -> None:
        self._assigned.discard((event.relid, event.wslot))

    def _removed(self, event: ChildRemoved, *_: object) -> None:
        if event.why != "bus-exit":
            self._assigned.discard((event.relid, event.wslot))

    def _left(self, event: D0Left, *_: object) -> None:
        self.shown |= any(relid == event.relid for relid, _ in self._assigned)

    def crashed(self, *_: object) -> None:
        super().crashed()
        self._assigned.clear()

    sees: ClassVar[Sees] = {
        ResourcesAssigned: _assign,
        ResourcesReleased: _release,
        ChildRemoved: _removed,
        D0Left: _left,
    }
