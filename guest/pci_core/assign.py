# SPDX-License-Identifier: MIT
"""Giving BARs addresses inside the bridge's windows: setup-bus.c, setup-res.c, bus.c.

Largest alignment first. 64-bit BARs go above 4 GiB if a window lies there; 32-bit ones below it.
What does not fit loses its resource and the device its BAR.
"""

from __future__ import annotations

from errno import EINVAL, ENOMEM

from guest.kernel.resource import (
    IORESOURCE_IO,
    IORESOURCE_MEM_64,
    IORESOURCE_PCI_FIXED,
    IORESOURCE_PREFETCH,
    IORESOURCE_SIZEALIGN,
    IORESOURCE_STARTALIGN,
    IORESOURCE_TYPE_BITS,
    IORESOURCE_UNSET,
    RESOURCE_MAX,
    Resource,
)
from guest.pci_core.bars import pci_std_update_resource
from guest.pci_core.events import BarAssigned
from guest.pci_core.regs import (
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_NOT_DEFINED,
)
from guest.pci_core.types import PciBus, PciDev

_4GIB = 1 << 32
_REGION_32_BIT = (0, _4GIB - 1)
_REGION_64_BIT = (0, RESOURCE_MAX)
_REGION_HIGH = (_4GIB, RESOURCE_MAX)
_PREF_64 = IORESOURCE_PREFETCH | IORESOURCE_MEM_64
_MIN_IO = 0x1000  # PCIBIOS_MIN_IO
_MIN_MEM = 0x1000_0000  # PCIBIOS_MIN_MEM; a window with a start overrides both


def pci_resource_alignment(res: Resource) -> int:
    """resource_alignment(): bytes; 0 if the resource says nothing about it."""
    if res.flags & IORESOURCE_SIZEALIGN:
        return res.size
    return res.start if res.flags & IORESOURCE_STARTALIGN else 0


async def pci_bus_assign_resources(bus: PciBus) -> None:
    """pci_bus_assign_resources(): every BAR of every device that is in no window yet.

    BARs that firmware or the bridge driver filled in before are not claimed, so they move too.
    """
    for dev, resno in _sorted_resources(bus):
        res = dev.resource[resno]
        if res.size and await pci_assign_resource(dev, resno) < 0:
            res.start = res.end = res.flags = 0  # reset_resource()


def _sorted_resources(bus: PciBus) -> list[tuple[PciDev, int]]:
    """pdev_sort_resources() over the bus: descending alignment, stable."""
    found: list[tuple[int, PciDev, int]] = []
    for dev in bus.devices:
        if dev.class_code >> 8 in (PCI_CLASS_NOT_DEFINED, PCI_CLASS_BRIDGE_HOST):
            continue
        for resno, res in enumerate(dev.resource):
            if not res.flags or res.parent is not None or res.flags & IORESOURCE_PCI_FIXED:
                continue
            align = pci_resource_alignment(res)
            if align:
                found.append((align, dev, resno))
            else:
                text = f"BAR {resno}: {res.describe()} has bogus alignment"
                bus.kernel.log("warn", f"pci {dev.name}: {text}")
    found.sort(key=lambda entry: -entry[0])
    return [(dev, resno) for _, dev, resno in found]


async def pci_assign_resource(dev: PciDev, resno: int) -> int:
    """pci_assign_resource(): 0, -EINVAL or -ENOMEM. On success the BAR has been written."""
    res = dev.resource[resno]
    if res.flags & IORESOURCE_PCI_FIXED:
        return 0
    res.flags |= IORESOURCE_UNSET
    align = pci_resource_alignment(res)
    if not align:
        return -EINVAL
    if _assign(dev.bus, res, res.size, align) < 0:
        text = f"BAR {resno} {res.describe()}: can't assign; no space"
        dev.kernel.log("info", f"pci {dev.name}: {text}")
        return -ENOMEM
    res.flags &= ~(IORESOURCE_UNSET | IORESOURCE_STARTALIGN)
    await pci_std_update_resource(dev, resno)
    dev.kernel.emit(BarAssigned(dev.name, resno, res.start, res.size))
    return 0


def _assign(bus: PciBus, res: Resource, size: int, align: int) -> int:
    """__pci_assign_resource(): the window of the same kind, then ever less fitting ones."""
    if _alloc(bus, res, size, align, _PREF_64) == 0:
        return 0
    wide_prefetch = res.flags & _PREF_64 == _PREF_64
    if wide_prefetch and _alloc(bus, res, size, align, IORESOURCE_PREFETCH) == 0:
        return 0
    if res.flags & _PREF_64:
        return _alloc(bus, res, size, align, 0)
    return -ENOMEM


def _alloc(bus: PciBus, res: Resource, size: int, align: int, type_mask: int) -> int:
    """pci_bus_alloc_resource(): 64-bit resources try above 4 GiB first."""
    if res.flags & IORESOURCE_MEM_64:
        if _alloc_from_region(bus, res, size, align, type_mask, _REGION_HIGH) == 0:
            return 0
        return _alloc_from_region(bus, res, size, align, type_mask, _REGION_64_BIT)
    return _alloc_from_region(bus, res, size, align, type_mask, _REGION_32_BIT)


def _alloc_from_region(
    bus: PciBus, res: Resource, size: int, align: int, type_mask: int, region: tuple[int, int]
) -> int:
    """pci_bus_alloc_from_region(): the first window that matches in type and has room."""
    wanted = res.flags
    mask = type_mask | IORESOURCE_TYPE_BITS
    for window in bus.resources:
        if (wanted ^ window.flags) & mask:
            continue
        if window.flags & IORESOURCE_PREFETCH and not wanted & IORESOURCE_PREFETCH:
            continue
        low, high = max(window.start, region[0]), min(window.end, region[1])
        low = low or (_MIN_IO if wanted & IORESOURCE_IO else _MIN_MEM)
        if size > high - low + 1:
            continue
        if window.allocate(res, size, minimum=low, maximum=high, align=align) == 0:
            return 0
    return -ENOMEM
