# SPDX-License-Identifier: MIT
"""Taking devices and buses away, in Linux's order: drivers/pci/remove.c.

Stop (driver unbound, gone from sysfs) and removal (gone from the bus, BARs released) are separate
passes over a bus: stopping goes backwards through its devices, removing forwards.
"""

from __future__ import annotations

from guest.pci_core.driver_core import device_release_driver
from guest.pci_core.events import PciDevRemoved
from guest.pci_core.init_capabilities import pci_pme_off
from guest.pci_core.refs import pci_bus_put, pci_dev_put
from guest.pci_core.types import PciBus, PciDev


async def pci_stop_and_remove_bus_device(dev: PciDev) -> None:
    """pci_stop_and_remove_bus_device(); the caller holds pci_rescan_remove_lock."""
    await _pci_stop_dev(dev)
    await _pci_destroy_dev(dev)


async def pci_stop_root_bus(bus: PciBus) -> None:
    """pci_stop_root_bus(): unbind every driver, last device first."""
    for dev in bus.devices.safe_reverse():
        await _pci_stop_dev(dev)


async def pci_remove_root_bus(bus: PciBus) -> None:
    """pci_remove_root_bus(): destroy the devices, then the bus leaves its bridge.

    Whoever still holds a device or a slot keeps the bus's memory.
    """
    for dev in bus.devices.safe():
        await _pci_destroy_dev(dev)
    del bus.pci.buses[(bus.domain_nr, bus.number)]
    bridge = bus.bridge
    bridge.bus = None
    await pci_bus_put(bus)
    await bridge.parent.put()  # device_del()


async def _pci_stop_dev(dev: PciDev) -> None:
    await pci_pme_off(dev)
    if dev.is_added:
        await device_release_driver(dev)
        dev.is_added = False


async def _pci_destroy_dev(dev: PciDev) -> None:
    """pci_destroy_dev(): does nothing to a device that was destroyed already.

    A driver that somebody has bound since the device was stopped goes now (device_del()).
    """
    if not dev.is_registered:
        return
    bus = dev.bus
    dev.is_registered = False
    dev.kernel.probing.forget(dev)
    dev.kernel.pm.remove(dev)
    await device_release_driver(dev)
    del bus.pci.devices[(bus.domain_nr, bus.number, dev.devfn)]
    bus.devices.delete(dev)
    for res in dev.resource:
        if res.parent is not None:
            res.release()
    dev.kernel.emit(PciDevRemoved(dev.name))
    await pci_dev_put(dev)
