# SPDX-License-Identifier: MIT
"""A function that was given up has no PCI device, and gets none.

The eject work removes the PCI device before it answers. A scan in between may find the function
once more and make it another one: that is Linux's own window (open item O5).
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import ChildAdded, DomainChosen, KernelCrashed
from guest.pci_core.events import PciDevAdded, PciDevRemoved
from host.events import ChannelOffered
from protocol.link import PacketPublished
from protocol.vpci import MessageType
from sim.oracles.addresses import address_of
from sim.oracles.law import Finding, Law, OpenItem, Sees, forget, forget_all, slot_of, to_host

Place = tuple[int, int]  # relid, wslot


class NoZombies(Law):
    """``there`` are the PCI devices, ``removed`` those that were, ``given_up`` dead functions."""

    name = "a function that was given up has no PCI device"
    kind = "dead-device-access"

    def __init__(self) -> None:
        self._relids: dict[int, int] = {}  # by domain
        self._there: set[Place] = set()
        self._removed: set[Place] = set()
        self._given_up: set[Place] = set()

    def _offered(self, event: ChannelOffered, *_: object) -> None:
        for places in (self._there, self._removed, self._given_up):
            forget(places, event.relid)

    def _domain_chosen(self, event: DomainChosen, *_: object) -> None:
        self._relids[event.domain] = event.relid

    def _place(self, event: PciDevAdded | PciDevRemoved) -> Place:
        domain, wslot = address_of(event.address)
        return self._relids.get(domain, 0), wslot

    def _added(self, event: PciDevAdded, *_: object) -> Finding:
        place = self._place(event)
        self._there.add(place)
        return self._judged(place) if place in self._given_up else None

    def _gone(self, event: PciDevRemoved, *_: object) -> None:
        place = self._place(event)
        self._there.discard(place)
        self._removed.add(place)

    def _linked(self, event: ChildAdded, *_: object) -> None:
        place = event.relid, event.wslot
        self._given_up.discard(place)
        self._removed.discard(place)

    def _completed(self, event: PacketPublished, *_: object) -> Finding:
        place = event.relid, slot_of(event)
        self._given_up.add(place)
        return self._judged(place) if place in self._there else None

    def _judged(self, place: Place) -> Finding:
        message = f"slot {place[1]:#x} of channel {place[0]} was given up and has a PCI device"
        return OpenItem("O5", message) if place in self._removed else message

    def _crashed(self, *_: object) -> None:
        forget_all(self._relids, self._there, self._removed, self._given_up)

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        ChannelOffered: _offered,
        DomainChosen: _domain_chosen,
        PciDevAdded: _added,
        PciDevRemoved: _gone,
        ChildAdded: _linked,
        to_host(MessageType.PCI_EJECTION_COMPLETE): _completed,
    }
