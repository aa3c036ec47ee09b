# SPDX-License-Identifier: MIT
"""Capability lists of a function, and what the scan does with each capability it finds.

Model: Linux walks a list from its head for every capability that it asks after (about thirty
walks per device). Here the list is walked once, by the same rules, and remembered. Only MSI, MSI-X
and power management are initialised. Of PCI Express it is known whether it is there, its link and
device registers are left as they are; the extended list is not walked, as nothing in it is used.
"""

from __future__ import annotations

from collections.abc import Mapping

from guest.pci_core.regs import (
    ALL_ONES,
    PCI_CB_CAPABILITY_LIST,
    PCI_CFG_SPACE_EXP_SIZE,
    PCI_CFG_SPACE_SIZE,
    PCI_CLASS_BRIDGE_HOST,
    PCI_FIND_CAP_TTL,
    PCI_HEADER_TYPE_BRIDGE,
    PCI_HEADER_TYPE_CARDBUS,
    PCI_HEADER_TYPE_NORMAL,
    PCI_MSI_FLAGS,
    PCI_MSIX_FLAGS,
    PCI_PM_CAP_PME_MASK,
    PCI_PM_CAP_VER_MASK,
    PCI_PM_CTRL,
    PCI_PM_CTRL_PME_ENABLE,
    PCI_PM_CTRL_PME_STATUS,
    PCI_PM_PMC,
)
from guest.pci_core.types import PciDev
from protocol.pci_cap_rows import (
    PCI_MSI_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_QSIZE,
)
from protocol.pci_caps import (
    PCI_CAP_ID_MSI,
    PCI_CAP_ID_MSIX,
    PCI_CAP_ID_PM,
)
from protocol.pci_regs import (
    PCI_CAPABILITY_LIST,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
)

_LIST_HEADS: Mapping[int, int] = {
    PCI_HEADER_TYPE_NORMAL: PCI_CAPABILITY_LIST,
    PCI_HEADER_TYPE_BRIDGE: PCI_CAPABILITY_LIST,
    PCI_HEADER_TYPE_CARDBUS: PCI_CB_CAPABILITY_LIST,
}


async def walk_capabilities(dev: PciDev) -> None:
    """Fill ``dev.caps`` by the rules of __pci_find_next_cap_ttl(): 48 entries at most."""
    bus, devfn = dev.bus, dev.devfn
    read = bus.ops.read
    head = _LIST_HEADS.get(dev.hdr_type)
    if head is None or not (await read(bus, devfn, PCI_STATUS, 2))[1] & PCI_STATUS_CAP_LIST:
        return
    pos = (await read(bus, devfn, head, 1))[1]
    for _ in range(PCI_FIND_CAP_TTL):
        if pos < 0x40:
            return
        pos &= ~3
        entry = (await read(bus, devfn, pos, 2))[1]
        if entry & 0xFF == 0xFF:
            return
        dev.caps.setdefault(entry & 0xFF, pos)
        pos = entry >> 8


async def pci_cfg_space_size(dev: PciDev) -> int:
    """pci_cfg_space_size(): 4096 if a PCIe function's extended space answers, else 256.

    Extended space that only repeats the vendor id at every 256 bytes is an alias of the first.
    """
    if not dev.pcie_cap and dev.class_code >> 8 != PCI_CLASS_BRIDGE_HOST:
        return PCI_CFG_SPACE_SIZE
    bus, devfn = dev.bus, dev.devfn
    read = bus.ops.read
    header = dev.vendor | dev.device << 16
    for pos in range(PCI_CFG_SPACE_SIZE, PCI_CFG_SPACE_EXP_SIZE, PCI_CFG_SPACE_SIZE):
        ret, value = await read(bus, devfn, pos, 4)
        if ret or (pos == PCI_CFG_SPACE_SIZE and value == ALL_ONES):
            return PCI_CFG_SPACE_SIZE
        if value != header:
            return PCI_CFG_SPACE_EXP_SIZE
    return PCI_CFG_SPACE_SIZE


async def pci_init_capabilities(dev: PciDev) -> None:
    """pci_init_capabilities(): MSI and MSI-X off, PME# off. Remembers the MSI-X table's size."""
    dev.msi_cap = dev.caps.get(PCI_CAP_ID_MSI, 0)
    if dev.msi_cap:
        await _clear_bit(dev, dev.msi_cap + PCI_MSI_FLAGS, PCI_MSI_FLAGS_ENABLE)
    dev.msix_cap = dev.caps.get(PCI_CAP_ID_MSIX, 0)
    if dev.msix_cap:
        control = await _clear_bit(dev, dev.msix_cap + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE)
        dev.msix_entries = (control & PCI_MSIX_FLAGS_QSIZE) + 1
    await _pci_pm_init(dev)


async def _clear_bit(dev: PciDev, pos: int, bit: int) -> int:
    """Returns what the register held before."""
    value = (await dev.bus.ops.read(dev.bus, dev.devfn, pos, 2))[1]
    if value & bit:
        await dev.bus.ops.write(dev.bus, dev.devfn, pos, 2, value & ~bit)
    return value


async def _pci_pm_init(dev: PciDev) -> None:
    """pci_pm_init(): without the immediate-readiness bit, which only shortens a delay."""
    pos = dev.caps.get(PCI_CAP_ID_PM, 0)
    if not pos:
        return
    bus, devfn = dev.bus, dev.devfn
    capabilities = (await bus.ops.read(bus, devfn, pos + PCI_PM_PMC, 2))[1]
    if capabilities & PCI_PM_CAP_VER_MASK > 3:
        text = f"unsupported PM cap regs version ({capabilities & PCI_PM_CAP_VER_MASK})"
        dev.kernel.log("err", f"pci {dev.name}: {text}")
        return
    dev.pm_cap = pos
    dev.pme_support = capabilities & PCI_PM_CAP_PME_MASK
    await pci_pme_off(dev)


async def pci_pme_off(dev: PciDev) -> None:
    """pci_pme_active(dev, false): clears a pending PME# by writing it back."""
    if not dev.pme_support:
        return
    bus, devfn, pos = dev.bus, dev.devfn, dev.pm_cap + PCI_PM_CTRL
    control = (await bus.ops.read(bus, devfn, pos, 2))[1]
    value = (control | PCI_PM_CTRL_PME_STATUS) & ~PCI_PM_CTRL_PME_ENABLE
    await bus.ops.write(bus, devfn, pos, 2, value)
