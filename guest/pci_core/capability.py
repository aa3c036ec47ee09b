# SPDX-License-Identifier: MIT
"""Where a function's capabilities are, walked as Linux walks for them: pci.c and probe.c.

Knows no capability's contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from guest.pci_core.regs import (
    ALL_ONES,
    PCI_CB_CAPABILITY_LIST,
    PCI_CFG_SPACE_EXP_SIZE,
    PCI_CFG_SPACE_SIZE,
    PCI_CLASS_BRIDGE_HOST,
    PCI_EXT_CAP_ID_VNDR,
    PCI_FIND_CAP_TTL,
    PCI_HEADER_TYPE_BRIDGE,
    PCI_HEADER_TYPE_CARDBUS,
    PCI_HEADER_TYPE_NORMAL,
    PCI_VNDR_HEADER,
)
from guest.pci_core.types import PciDev
from protocol.pci_regs import (
    PCI_CAPABILITY_LIST,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
)

_EXT_CAP_TTL: Final = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) // 8
_LIST_HEADS: Final[Mapping[int, int]] = {
    PCI_HEADER_TYPE_NORMAL: PCI_CAPABILITY_LIST,
    PCI_HEADER_TYPE_BRIDGE: PCI_CAPABILITY_LIST,
    PCI_HEADER_TYPE_CARDBUS: PCI_CB_CAPABILITY_LIST,
}


async def pci_find_capability(dev: PciDev, cap: int) -> int:
    """pci_find_capability(): offset of the first capability of that id, 0 if there is none.

    The list is walked from its head every time, 48 entries at most.
    """
    bus, devfn = dev.bus, dev.devfn
    read = bus.ops.read
    if not (await read(bus, devfn, PCI_STATUS, 2))[1] & PCI_STATUS_CAP_LIST:
        return 0
    head = _LIST_HEADS.get(dev.hdr_type)
    if head is None:
        return 0
    pos = (await read(bus, devfn, head, 1))[1]
    for _ in range(PCI_FIND_CAP_TTL):
        if pos < 0x40:
            return 0
        pos &= ~3
        entry = (await read(bus, devfn, pos, 2))[1]
        found = entry & 0xFF
        if found == 0xFF:
            return 0
        if found == cap:
            return pos
        pos = entry >> 8
    return 0


async def pci_find_ext_capability(dev: PciDev, cap: int, start: int = 0) -> int:
    """pci_find_next_ext_capability(): the same in the extended space, 480 entries at most.

    The first one behind the entry at ``start``; from the head of the list if that is 0.
    """
    if dev.cfg_size <= PCI_CFG_SPACE_SIZE:
        return 0
    bus, devfn = dev.bus, dev.devfn
    read = bus.ops.read
    pos = start or PCI_CFG_SPACE_SIZE
    ret, header = await read(bus, devfn, pos, 4)
    if ret or not header:
        return 0
    for _ in range(_EXT_CAP_TTL):
        if header & 0xFFFF == cap and pos != start:
            return pos
        pos = header >> 20 & 0xFFC
        if pos < PCI_CFG_SPACE_SIZE:
            return 0
        ret, header = await read(bus, devfn, pos, 4)
        if ret:
            return 0
    return 0


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


async def pci_find_vsec_capability(dev: PciDev, vendor: int, cap: int) -> int:
    """pci_find_vsec_capability(): a vendor's own capability, in a function of that vendor."""
    pos = 0
    while dev.vendor == vendor:
        pos = await pci_find_ext_capability(dev, PCI_EXT_CAP_ID_VNDR, pos)
        if not pos:
            break
        ret, header = await dev.bus.ops.read(dev.bus, dev.devfn, pos + PCI_VNDR_HEADER, 4)
        if not ret and header & 0xFFFF == cap:
            return pos
    return 0
