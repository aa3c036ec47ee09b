# SPDX-License-Identifier: MIT
"""No two buses have one PCI domain at the same time, and none changes its own.

A domain is a bus's from the moment it was chosen until it was given back. Domain 0 belongs to the
emulated bus of generation 1 VMs and is nobody's.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import DomainChosen, DomainFreed, DriverRemoved, KernelCrashed
from guest.pci_core.events import PciDevAdded
from host.events import ChannelOffered
from sim.oracles.addresses import address_of
from sim.oracles.law import Finding, Law, Sees


class UniqueDomains(Law):
    """``live`` are the domains in use, with their buses' relids."""

    name = "the PCI domains of live buses are unique and constant"
    kind = "wrong-value"

    def __init__(self) -> None:
        self._live: dict[int, int] = {}

    def _chosen(self, event: DomainChosen, *_: object) -> Finding:
        domain, relid = event.domain, event.relid
        owner = self._live.get(domain)
        if owner is not None:
            return f"domain {domain:#x} of channel {owner} was chosen again by channel {relid}"
        if relid in self._live.values() or not domain:
            return f"channel {relid} chose domain {domain:#x}, which it cannot have"
        self._live[domain] = relid
        return None

    def _freed(self, event: DomainFreed, *_: object) -> None:
        self._live.pop(event.domain, None)

    def _bus_gone(self, event: DriverRemoved | ChannelOffered, *_: object) -> None:
        """For whoever does not say when a domain is given back."""
        for domain in [domain for domain, relid in self._live.items() if relid == event.relid]:
            del self._live[domain]

    def _dev_added(self, event: PciDevAdded, *_: object) -> Finding:
        if address_of(event.address).domain in self._live:
            return None
        return f"{event.address} appeared in a domain that no bus has"

    def _crashed(self, *_: object) -> None:
        self._live.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        DomainChosen: _chosen,
        DomainFreed: _freed,
        DriverRemoved: _bus_gone,
        ChannelOffered: _bus_gone,
        PciDevAdded: _dev_added,
    }
