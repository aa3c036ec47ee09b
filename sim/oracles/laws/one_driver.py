# SPDX-License-Identifier: MIT
"""A PCI device has at most one driver, and one that is gone has none.

A driver counts as bound once its probe has succeeded and until its remove has ended; both happen
under the device's lock, and a device leaves the bus only after its driver.
"""

from __future__ import annotations

from typing import ClassVar

from guest.events import KernelCrashed
from guest.pci_core.events import DriverBound, DriverUnbound, PciDevAdded, PciDevRemoved
from sim.oracles.law import Finding, Law, Sees


class OneDriver(Law):
    """``driver_of`` is the driver of each device that is there, or None, by address."""

    name = "a device has at most one driver, and a dead one none"
    kind = "wrong-value"

    def __init__(self) -> None:
        self._driver_of: dict[str, str | None] = {}

    def _added(self, event: PciDevAdded, *_: object) -> Finding:
        if event.address in self._driver_of:
            return f"{event.address} was added although it is there"
        self._driver_of[event.address] = None
        return None

    def _removed(self, event: PciDevRemoved, *_: object) -> Finding:
        if event.address not in self._driver_of:
            return f"{event.address} was removed although it is not there"
        driver = self._driver_of.pop(event.address)
        return f"{event.address} was removed while {driver} has it" if driver else None

    def _bound(self, event: DriverBound, *_: object) -> Finding:
        address, driver = event.address, event.driver
        if address not in self._driver_of:
            return f"{driver} was bound to {address}, which is not there"
        other = self._driver_of[address]
        if other is not None:
            return f"{driver} was bound to {address}, which {other} has"
        self._driver_of[address] = driver
        return None

    def _unbound(self, event: DriverUnbound, *_: object) -> Finding:
        address, driver = event.address, event.driver
        if self._driver_of.get(address) != driver:
            return f"{driver} let go of {address}, which it does not have"
        self._driver_of[address] = None
        return None

    def _crashed(self, *_: object) -> None:
        self._driver_of.clear()

    sees: ClassVar[Sees] = {
        KernelCrashed: _crashed,
        PciDevAdded: _added,
        PciDevRemoved: _removed,
        DriverBound: _bound,
        DriverUnbound: _unbound,
    }
