# SPDX-License-Identifier: MIT
"""A bus that is installed shows a PCI device for each function that it holds.

Judged in the moment in which the bus is installed: until then the works wait for ``state_lock``, so
that its functions are those that were there when it was scanned. A resume scans nothing, so that a
function which joined the bus meanwhile waits for the next list (open item O37). A scan looks for
functions 1 to 7 only behind a function 0 that says so; they are not judged. Not missed either is
what the host has taken away meanwhile, and what there was no memory for.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import BusStateChanged, ChildAdded, ChildRemoved, DomainChosen, KernelCrashed
from guest.pci_core.events import PciDevAdded
from host.events import ChannelOffered, DeviceUnassigned, Rescinded
from sim.fault_events import FaultInjected
from sim.faults import ALLOCATION_FAILURE
from sim.oracles.addresses import address_of
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget, forget_all

INSTALLED = "installed"
SLOTS = 32  # wslot numbers of functions 0
Place = tuple[int, int]  # relid, wslot


class FunctionsAppear(Law):
    """``missed`` are functions without a PCI device so far, ``probing`` buses not yet installed."""

    name = "each function of an installed bus has its PCI device"
    kind = "lost-device"

    def __init__(self) -> None:
        self._relid_of_bus: dict[str, int] = {}
        self._relid_of_domain: dict[int, int] = {}
        self._missed: set[Place] = set()
        self._probing: set[int] = set()
        self._short_of_memory = False

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        self._relid_of_bus[event.bus] = event.relid
        forget(self._missed, event.relid)

    def _domain_chosen(self, event: DomainChosen, *_: object) -> None:
        self._relid_of_domain[event.domain] = event.relid
        self._probing.add(event.relid)

    def _fault(self, event: FaultInjected, *_: object) -> None:
        self._short_of_memory |= event.fault == ALLOCATION_FAILURE

    def _linked(self, event: ChildAdded, *_: object) -> None:
        if event.wslot < SLOTS:
            self._missed.add((event.relid, event.wslot))

    def _unlinked(self, event: ChildRemoved, *_: object) -> None:
        self._missed.discard((event.relid, event.wslot))

    def _appeared(self, event: PciDevAdded, *_: object) -> None:
        domain, wslot = address_of(event.address)
        self._missed.discard((self._relid_of_domain.get(domain, 0), wslot))

    def _taken(self, event: DeviceUnassigned, *_: object) -> None:
        self._missed.discard((self._relid_of_bus.get(event.bus, 0), event.wslot))

    def _rescinded(self, event: Rescinded, *_: object) -> None:
        forget(self._missed, event.relid)

    def _state_changed(self, event: BusStateChanged, *_: object) -> Finding:
        if event.state != INSTALLED or self._short_of_memory:
            return None
        probed = event.relid in self._probing
        self._probing.discard(event.relid)
        missed = min((wslot for relid, wslot in self._missed if relid == event.relid), default=None)
        if missed is None:
            return None
        message = f"slot {missed:#x} of channel {event.relid} has no PCI device"
        return message if probed else OpenItem("O37", message)

    def _crashed(self, *_: object) -> None:
        forget_all(self._relid_of_domain, self._missed, self._probing)
        self._short_of_memory = False

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        DomainChosen: _domain_chosen,
        FaultInjected: _fault,
        ChildAdded: _linked,
        ChildRemoved: _unlinked,
        PciDevAdded: _appeared,
        DeviceUnassigned: _taken,
        Rescinded: _rescinded,
        BusStateChanged: _state_changed,
    }
