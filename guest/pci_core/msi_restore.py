# SPDX-License-Identifier: MIT
"""Writing a device's messages and masks back after hibernation: pci_restore_msi_state() of msi.c.

Writes what is remembered and asks nobody for new messages; whose messages have changed must have
said so before (hv_pci_restore_msi_msg()).
"""

from __future__ import annotations

from guest.pci_core.enable import pci_intx
from guest.pci_core.msi_plain import msi_set_enable
from guest.pci_core.msi_regs import (
    pci_msi_update_mask,
    pci_msix_write_vector_ctrl,
    pci_write_msi_msg,
)
from guest.pci_core.msix import msix_change_control
from guest.pci_core.regs import PCI_MSI_FLAGS, PCI_MSI_FLAGS_QSIZE_SHIFT
from guest.pci_core.types import PciDev
from protocol.pci_cap_rows import (
    PCI_MSI_FLAGS_ENABLE,
    PCI_MSI_FLAGS_QSIZE,
    PCI_MSIX_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_MASKALL,
)
from protocol.pci_regs import PCI_COMMAND, PCI_COMMAND_MEMORY


async def pci_restore_msi_state(dev: PciDev) -> None:
    """pci_restore_msi_state(): nothing for a device that uses neither."""
    if dev.msi_enabled:
        await _restore_msi(dev)
    if dev.msix_enabled:
        await _restore_msix(dev)


async def _restore_msi(dev: PciDev) -> None:
    """__pci_restore_msi_state(): the control register is read before the mask is written."""
    desc = dev.msi_descs[0]
    await pci_intx(dev, enable=0)
    await msi_set_enable(dev, 0)
    await pci_write_msi_msg(desc, desc.msg)
    bus, devfn, pos = dev.bus, dev.devfn, dev.msi_cap + PCI_MSI_FLAGS
    control = (await bus.ops.read(bus, devfn, pos, 2))[1] & ~PCI_MSI_FLAGS_QSIZE
    await pci_msi_update_mask(desc, clear=0, add=0)
    control |= desc.multiple << PCI_MSI_FLAGS_QSIZE_SHIFT | PCI_MSI_FLAGS_ENABLE
    await bus.ops.write(bus, devfn, pos, 2, control)


async def _restore_msix(dev: PciDev) -> None:
    """__pci_restore_msix_state(): with memory decoded, since the table lies behind a BAR."""
    bus, devfn = dev.bus, dev.devfn
    await pci_intx(dev, enable=0)
    await msix_change_control(dev, clear=0, add=PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL)
    command = (await bus.ops.read(bus, devfn, PCI_COMMAND, 2))[1]
    await bus.ops.write(bus, devfn, PCI_COMMAND, 2, command | PCI_COMMAND_MEMORY)
    await dev.msi_mutex.lock()
    for desc in dev.msi_descs.values():
        await pci_write_msi_msg(desc, desc.msg)
        await pci_msix_write_vector_ctrl(desc, desc.msix_ctrl)
    await dev.msi_mutex.unlock()
    await bus.ops.write(bus, devfn, PCI_COMMAND, 2, command)
    await msix_change_control(dev, clear=PCI_MSIX_FLAGS_MASKALL, add=0)
