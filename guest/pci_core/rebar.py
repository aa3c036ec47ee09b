# SPDX-License-Identifier: MIT
"""Resizable BARs after hibernation: pci_restore_rebar_state() of drivers/pci/rebar.c.

What was chosen is told by the size of the resource. Resizes nothing.
"""

from __future__ import annotations

from typing import Final

from guest.pci_core.capability import pci_find_ext_capability
from guest.pci_core.regs import (
    ALL_ONES,
    PCI_REBAR_CTRL,
    PCI_REBAR_CTRL_BAR_IDX,
    PCI_REBAR_CTRL_BAR_SHIFT,
    PCI_REBAR_CTRL_BAR_SIZE,
    PCI_REBAR_CTRL_NBAR_MASK,
    PCI_REBAR_CTRL_NBAR_SHIFT,
)
from guest.pci_core.types import PciDev
from protocol.pci_caps import PCI_EXT_CAP_ID_REBAR

_ENTRY_BYTES: Final = 8  # a capability and a control register for each BAR
_SMALLEST_LOG2: Final = 20  # size 0 is 1 MiB


async def pci_restore_rebar_state(dev: PciDev) -> None:
    """pci_restore_rebar_state(): each control register again, unless the function is gone."""
    pos = await pci_find_ext_capability(dev, PCI_EXT_CAP_ID_REBAR)
    if not pos:
        return
    bus, devfn = dev.bus, dev.devfn
    control = (await bus.ops.read(bus, devfn, pos + PCI_REBAR_CTRL, 4))[1]
    if control == ALL_ONES:
        return
    count = (control & PCI_REBAR_CTRL_NBAR_MASK) >> PCI_REBAR_CTRL_NBAR_SHIFT
    for at in range(pos, pos + count * _ENTRY_BYTES, _ENTRY_BYTES):
        control = (await bus.ops.read(bus, devfn, at + PCI_REBAR_CTRL, 4))[1]
        if control == ALL_ONES:
            return
        size = _rebar_size(dev, control & PCI_REBAR_CTRL_BAR_IDX)
        control = control & ~PCI_REBAR_CTRL_BAR_SIZE | size << PCI_REBAR_CTRL_BAR_SHIFT
        await bus.ops.write(bus, devfn, at + PCI_REBAR_CTRL, 4, control)


def _rebar_size(dev: PciDev, bar: int) -> int:
    """pci_rebar_bytes_to_size(): the register's value, 0 for a BAR that the function lacks."""
    size_bytes = dev.resource[bar].size if bar < len(dev.resource) else 1
    return max((size_bytes - 1).bit_length(), _SMALLEST_LOG2) - _SMALLEST_LOG2
