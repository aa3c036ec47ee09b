# SPDX-License-Identifier: MIT
"""MSI-X set-up and tear-down: the second half of drivers/pci/msi/msi.c.

Accesses to the capability and the table come in Linux's order. Refuses to know who wants the
vectors.
"""

from __future__ import annotations

from errno import EINVAL, ENOMEM, ERANGE

from guest.kernel.irq_affinity import AffinityRequest
from guest.kernel.irq_core import IrqCore
from guest.kernel.memory import GFP_KERNEL
from guest.kernel.resource import IORESOURCE_UNSET
from guest.pci_core.enable import pci_intx
from guest.pci_core.msi_irqs import enable_range, free_msi_irqs, setup_msi_irqs
from guest.pci_core.msi_regs import msix_entry, pci_msix_mask
from guest.pci_core.regs import (
    PCI_MSIX_ENTRY_CTRL_MASKBIT,
    PCI_MSIX_ENTRY_SIZE,
    PCI_MSIX_ENTRY_VECTOR_CTRL,
    PCI_MSIX_FLAGS,
    PCI_MSIX_TABLE,
    PCI_MSIX_TABLE_BIR,
    PCI_MSIX_TABLE_OFFSET,
)
from guest.pci_core.types import PCI_D0, PCI_STD_NUM_BARS, MsiDesc, PciDev
from protocol.pci_cap_rows import (
    PCI_MSIX_FLAGS_ENABLE,
    PCI_MSIX_FLAGS_MASKALL,
    PCI_MSIX_FLAGS_QSIZE,
)


async def msix_change_control(dev: PciDev, *, clear: int, add: int) -> int:
    """pci_msix_clear_and_set_ctrl(); returns what was written."""
    bus, devfn, pos = dev.bus, dev.devfn, dev.msix_cap + PCI_MSIX_FLAGS
    control = (await bus.ops.read(bus, devfn, pos, 2))[1] & ~clear | add
    await bus.ops.write(bus, devfn, pos, 2, control)
    return control


async def _table_size(dev: PciDev) -> int:
    """pci_msix_vec_count(): entries of the table."""
    bus, devfn, pos = dev.bus, dev.devfn, dev.msix_cap + PCI_MSIX_FLAGS
    return ((await bus.ops.read(bus, devfn, pos, 2))[1] & PCI_MSIX_FLAGS_QSIZE) + 1


async def enable_msix_range(
    irqs: IrqCore, dev: PciDev, min_vecs: int, max_vecs: int, affd: AffinityRequest | None
) -> int:
    """__pcienable_msix_range()."""
    if max_vecs < min_vecs:
        return -ERANGE
    if dev.msi_enabled or dev.msix_enabled or max_vecs < 1 or dev.current_state != PCI_D0:
        return -EINVAL
    if not dev.msix_cap:
        return -EINVAL
    nvec = min(await _table_size(dev), max_vecs)

    async def init(count: int) -> int:
        return await _msix_capability_init(irqs, dev, count, affd)

    return await enable_range(min_vecs, nvec, len(irqs.kernel.cpus), affd, init)


async def _msix_capability_init(
    irqs: IrqCore, dev: PciDev, nvec: int, affd: AffinityRequest | None
) -> int:
    """msix_capability_init(): on with every vector masked, before the table is touched."""
    both = PCI_MSIX_FLAGS_MASKALL | PCI_MSIX_FLAGS_ENABLE
    await msix_change_control(dev, clear=0, add=both)
    dev.msix_enabled = True
    entries = await _table_size(dev)
    dev.msix_base = await _msix_map_region(dev)
    ret = -ENOMEM
    if dev.msix_base is not None:
        ret = await _msix_setup_interrupts(irqs, dev, nvec, affd)
    if ret:
        dev.msix_enabled = False
        await msix_change_control(dev, clear=both, add=0)
        return ret
    await pci_intx(dev, enable=0)
    await _msix_mask_all(dev, entries)
    await msix_change_control(dev, clear=PCI_MSIX_FLAGS_MASKALL, add=0)
    return 0


async def _msix_map_region(dev: PciDev) -> int | None:
    """msix_map_region(): guest physical address of the table, None if its BAR has no address."""
    bus = dev.bus
    table = (await bus.ops.read(bus, dev.devfn, dev.msix_cap + PCI_MSIX_TABLE, 4))[1]
    bir = table & PCI_MSIX_TABLE_BIR
    if bir >= PCI_STD_NUM_BARS:
        return None
    res = dev.resource[bir]
    if not res.flags or res.flags & IORESOURCE_UNSET:
        return None
    return res.start + (table & PCI_MSIX_TABLE_OFFSET)


async def _msix_setup_interrupts(
    irqs: IrqCore, dev: PciDev, nvec: int, affd: AffinityRequest | None
) -> int:
    masks = irqs.create_affinity_masks(nvec, affd) if affd is not None else None
    await dev.msi_mutex.lock()
    ret = 0
    await _table_size(dev)  # msix_setup_msi_descs(): which entries are beyond the table
    for index in range(nvec):
        desc = await dev.kernel.kzalloc(MsiDesc, GFP_KERNEL, dev, index, 1, True)
        if desc is None:
            ret = -ENOMEM
            break
        dev.msi_descs[index] = desc
        desc.affinity = [masks[index]] if masks is not None else None
        desc.can_mask = True
        desc.msix_ctrl = dev.kernel.mmio_read(msix_entry(desc) + PCI_MSIX_ENTRY_VECTOR_CTRL, 4)
    if ret == 0:
        ret = await setup_msi_irqs(irqs, dev)
    if ret:
        await free_msi_irqs(irqs, dev)
    await dev.msi_mutex.unlock()
    return ret


async def _msix_mask_all(dev: PciDev, entries: int) -> None:
    """msix_mask_all(): no entry may fire before its interrupt is requested, set up or not."""
    assert dev.msix_base is not None, "the table has been mapped"
    first = dev.msix_base + PCI_MSIX_ENTRY_VECTOR_CTRL
    for ctrl in range(first, first + entries * PCI_MSIX_ENTRY_SIZE, PCI_MSIX_ENTRY_SIZE):
        await dev.kernel.mmio_write(ctrl, 4, PCI_MSIX_ENTRY_CTRL_MASKBIT)


async def msix_shutdown(dev: PciDev) -> None:
    """pcimsix_shutdown()."""
    for desc in dev.msi_descs.values():
        await pci_msix_mask(desc)
    await msix_change_control(dev, clear=PCI_MSIX_FLAGS_ENABLE, add=0)
    await pci_intx(dev, enable=1)
    dev.msix_enabled = False
