# SPDX-License-Identifier: MIT
"""Writing messages and masks into a function: drivers/pci/msi/msi.c and msi.h.

MSI lives in configuration space; MSI-X in a table behind a BAR, reached by MMIO. Allocates nothing.
"""

from __future__ import annotations

from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.pci_core.regs import (
    PCI_MSI_ADDRESS_HI,
    PCI_MSI_ADDRESS_LO,
    PCI_MSI_DATA_32,
    PCI_MSI_DATA_64,
    PCI_MSI_FLAGS,
    PCI_MSI_FLAGS_QSIZE_SHIFT,
    PCI_MSIX_ENTRY_CTRL_MASKBIT,
    PCI_MSIX_ENTRY_DATA,
    PCI_MSIX_ENTRY_LOWER_ADDR,
    PCI_MSIX_ENTRY_SIZE,
    PCI_MSIX_ENTRY_UPPER_ADDR,
    PCI_MSIX_ENTRY_VECTOR_CTRL,
)
from guest.pci_core.types import PCI_D0, MsiDesc, irq_data_get_msi_desc
from protocol.pci_cap_rows import PCI_MSI_FLAGS_QSIZE


def msix_entry(desc: MsiDesc) -> int:
    """pci_msix_desc_addr(): guest physical address of the descriptor's table entry."""
    base = desc.pci_dev.msix_base
    assert base is not None, "the MSI-X table is mapped while descriptors exist"
    return base + desc.index * PCI_MSIX_ENTRY_SIZE


async def pci_msix_write_vector_ctrl(desc: MsiDesc, ctrl: int) -> None:
    """pci_msix_write_vector_ctrl(): the register only; the cached value is the caller's."""
    if desc.can_mask:
        address = msix_entry(desc) + PCI_MSIX_ENTRY_VECTOR_CTRL
        await desc.pci_dev.kernel.mmio_write(address, 4, ctrl)


async def pci_msix_mask(desc: MsiDesc) -> None:
    """pci_msix_mask(): the write is flushed by a read of the table's first word."""
    desc.msix_ctrl |= PCI_MSIX_ENTRY_CTRL_MASKBIT
    await pci_msix_write_vector_ctrl(desc, desc.msix_ctrl)
    base = desc.pci_dev.msix_base
    assert base is not None, "the MSI-X table is mapped while descriptors exist"
    desc.pci_dev.kernel.mmio_read(base, 4)


async def pci_msix_unmask(desc: MsiDesc) -> None:
    """pci_msix_unmask()."""
    desc.msix_ctrl &= ~PCI_MSIX_ENTRY_CTRL_MASKBIT
    await pci_msix_write_vector_ctrl(desc, desc.msix_ctrl)


async def pci_msi_update_mask(desc: MsiDesc, *, clear: int, add: int) -> None:
    """pci_msi_update_mask(): bits of the MSI mask register, where the capability has one.

    Model: without msi_lock, since the cached value changes and is written in one go.
    """
    if desc.can_mask:
        desc.msi_mask = desc.msi_mask & ~clear | add
        dev = desc.pci_dev
        await dev.bus.ops.write(dev.bus, dev.devfn, desc.mask_pos, 4, desc.msi_mask)


async def pci_msi_mask_irq(data: IrqData) -> None:
    """pci_msi_mask_irq(): for a chip's irq_mask."""
    desc = irq_data_get_msi_desc(data)
    if desc.is_msix:
        await pci_msix_mask(desc)
    else:
        await pci_msi_update_mask(desc, clear=0, add=1 << (data.irq - desc.irq))


async def pci_msi_unmask_irq(data: IrqData) -> None:
    """pci_msi_unmask_irq(): for a chip's irq_unmask."""
    desc = irq_data_get_msi_desc(data)
    if desc.is_msix:
        await pci_msix_unmask(desc)
    else:
        await pci_msi_update_mask(desc, clear=1 << (data.irq - desc.irq), add=0)


async def pci_msi_domain_write_msg(data: IrqData, msg: MsiMsg) -> None:
    """pci_msi_domain_write_msg(): of several MSIs only the first has a register to write."""
    desc = irq_data_get_msi_desc(data)
    if desc.irq == data.irq:
        await pci_write_msi_msg(desc, msg)


async def pci_write_msi_msg(desc: MsiDesc, msg: MsiMsg) -> None:
    """__pci_write_msi_msg(): into the function unless it is not in D0; remembered either way."""
    if desc.pci_dev.current_state == PCI_D0:
        if desc.is_msix:
            await _write_msix(desc, msg)
        else:
            await _write_msi(desc, msg)
    desc.msg = msg


async def _write_msix(desc: MsiDesc, msg: MsiMsg) -> None:
    """pci_write_msg_msix(): an entry is masked while its message changes."""
    kernel = desc.pci_dev.kernel
    entry = msix_entry(desc)
    ctrl = desc.msix_ctrl
    unmasked = not ctrl & PCI_MSIX_ENTRY_CTRL_MASKBIT
    if unmasked:
        await pci_msix_write_vector_ctrl(desc, ctrl | PCI_MSIX_ENTRY_CTRL_MASKBIT)
    await kernel.mmio_write(entry + PCI_MSIX_ENTRY_LOWER_ADDR, 4, msg.address_lo)
    await kernel.mmio_write(entry + PCI_MSIX_ENTRY_UPPER_ADDR, 4, msg.address_hi)
    await kernel.mmio_write(entry + PCI_MSIX_ENTRY_DATA, 4, msg.data)
    if unmasked:
        await pci_msix_write_vector_ctrl(desc, ctrl)
    kernel.mmio_read(entry + PCI_MSIX_ENTRY_DATA, 4)  # flushes the writes


async def _write_msi(desc: MsiDesc, msg: MsiMsg) -> None:
    """pci_write_msg_msi(): how many messages are granted, then address and data."""
    dev = desc.pci_dev
    bus, devfn, pos = dev.bus, dev.devfn, dev.msi_cap
    read, write = bus.ops.read, bus.ops.write
    control = (await read(bus, devfn, pos + PCI_MSI_FLAGS, 2))[1] & ~PCI_MSI_FLAGS_QSIZE
    control |= desc.multiple << PCI_MSI_FLAGS_QSIZE_SHIFT
    await write(bus, devfn, pos + PCI_MSI_FLAGS, 2, control)
    await write(bus, devfn, pos + PCI_MSI_ADDRESS_LO, 4, msg.address_lo)
    if desc.is_64:
        await write(bus, devfn, pos + PCI_MSI_ADDRESS_HI, 4, msg.address_hi)
        await write(bus, devfn, pos + PCI_MSI_DATA_64, 2, msg.data & 0xFFFF)
    else:
        await write(bus, devfn, pos + PCI_MSI_DATA_32, 2, msg.data & 0xFFFF)
    await read(bus, devfn, pos + PCI_MSI_FLAGS, 2)
