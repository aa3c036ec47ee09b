# SPDX-License-Identifier: MIT
"""References to devices and buses: who drops the last one frees the object."""

from __future__ import annotations

from guest.pci_core.types import PciBus, PciDev


async def pci_bus_put(bus: PciBus) -> None:
    """pci_bus_put(): the last holder frees it (release_pcibus_dev())."""
    if bus.refs.put():
        await bus.kernel.kfree(bus)


def pci_dev_get(dev: PciDev) -> PciDev:
    """pci_dev_get()."""
    dev.refs.get()
    return dev


async def pci_dev_put(dev: PciDev | None) -> None:
    """pci_dev_put(): the last holder frees it (pci_release_dev())."""
    if dev is not None and dev.refs.put():
        await pci_bus_put(dev.bus)
        await dev.kernel.kfree(dev)
