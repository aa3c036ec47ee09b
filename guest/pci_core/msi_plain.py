# SPDX-License-Identifier: MIT
"""MSI set-up and tear-down, one message or several: the first half of drivers/pci/msi/msi.c.

One descriptor stands for all messages; the host may grant fewer than the capability offers.
"""

from __future__ import annotations

from errno import EINVAL, EIO, ENOMEM, ERANGE

from guest.kernel.irq_affinity import AffinityRequest
from guest.kernel.irq_core import IrqCore
from guest.kernel.memory import GFP_KERNEL
from guest.pci_core.enable import pci_intx
from guest.pci_core.msi_irqs import enable_range, free_msi_irqs, setup_msi_irqs
from guest.pci_core.msi_regs import pci_msi_update_mask
from guest.pci_core.regs import (
    PCI_MSI_FLAGS,
    PCI_MSI_FLAGS_QMASK_SHIFT,
    PCI_MSI_MASK_32,
    PCI_MSI_MASK_64,
)
from guest.pci_core.types import PCI_D0, MsiDesc, PciDev
from protocol.pci_cap_rows import (
    PCI_MSI_FLAGS_64BIT,
    PCI_MSI_FLAGS_ENABLE,
    PCI_MSI_FLAGS_MASKBIT,
    PCI_MSI_FLAGS_QMASK,
)


async def _msi_control(dev: PciDev) -> int:
    pos = dev.msi_cap + PCI_MSI_FLAGS
    return (await dev.bus.ops.read(dev.bus, dev.devfn, pos, 2))[1]


async def msi_set_enable(dev: PciDev, enable: int) -> None:
    """pcimsi_set_enable(): always written."""
    control = await _msi_control(dev) & ~PCI_MSI_FLAGS_ENABLE
    pos = dev.msi_cap + PCI_MSI_FLAGS
    await dev.bus.ops.write(
        dev.bus, dev.devfn, pos, 2, control | (PCI_MSI_FLAGS_ENABLE if enable else 0)
    )


async def enable_msi_range(
    irqs: IrqCore, dev: PciDev, min_vecs: int, max_vecs: int, affd: AffinityRequest | None
) -> int:
    """__pcienable_msi_range()."""
    if min_vecs < 1 or dev.current_state != PCI_D0 or dev.msix_enabled or dev.msi_enabled:
        return -EINVAL
    if max_vecs < min_vecs:
        return -ERANGE
    if not dev.msi_cap:
        return -EINVAL
    capable = await _msi_control(dev) & PCI_MSI_FLAGS_QMASK
    nvec = min(1 << (capable >> PCI_MSI_FLAGS_QMASK_SHIFT), max_vecs)

    async def init(count: int) -> int:
        return await _msi_capability_init(irqs, dev, count, affd)

    return await enable_range(min_vecs, nvec, len(irqs.kernel.cpus), affd, init)


async def _msi_capability_init(
    irqs: IrqCore, dev: PciDev, nvec: int, affd: AffinityRequest | None
) -> int:
    """msi_capability_init(): off and masked while it is set up."""
    await msi_set_enable(dev, 0)
    dev.msi_enabled = True
    masks = irqs.create_affinity_masks(nvec, affd) if affd is not None else None
    await dev.msi_mutex.lock()
    desc = await _msi_setup_desc(dev, nvec)
    ret = -ENOMEM
    if desc is not None:
        desc.affinity = masks
        await pci_msi_update_mask(desc, clear=0, add=desc.multi_mask)
        ret = await setup_msi_irqs(irqs, dev)
        ret = ret or _msi_verify(dev, desc)
        if ret:
            await pci_msi_update_mask(desc, clear=desc.multi_mask, add=0)
            await free_msi_irqs(irqs, dev)
    if ret:
        dev.msi_enabled = False
    else:
        assert desc is not None
        await pci_intx(dev, enable=0)
        await msi_set_enable(dev, 1)
        dev.irq = desc.irq
    await dev.msi_mutex.unlock()
    return ret


async def _msi_setup_desc(dev: PciDev, nvec: int) -> MsiDesc | None:
    """msi_setup_msi_desc(): one descriptor for all messages."""
    control = await _msi_control(dev)
    desc = await dev.kernel.kzalloc(MsiDesc, GFP_KERNEL, dev, 0, nvec, False)
    if desc is None:
        return None
    desc.is_64 = bool(control & PCI_MSI_FLAGS_64BIT)
    desc.can_mask = bool(control & PCI_MSI_FLAGS_MASKBIT)
    desc.multi_cap = (control & PCI_MSI_FLAGS_QMASK) >> PCI_MSI_FLAGS_QMASK_SHIFT
    desc.multiple = (nvec - 1).bit_length()
    desc.mask_pos = dev.msi_cap + (PCI_MSI_MASK_64 if desc.is_64 else PCI_MSI_MASK_32)
    if desc.can_mask:
        read = dev.bus.ops.read
        desc.msi_mask = (await read(dev.bus, dev.devfn, desc.mask_pos, 4))[1]
    dev.msi_descs[0] = desc
    return desc


def _msi_verify(dev: PciDev, desc: MsiDesc) -> int:
    """msi_verify_entries(): a message above 4 GiB needs a 64-bit capability."""
    if desc.is_64 or not desc.msg.address_hi:
        return 0
    dev.kernel.log("err", f"pci {dev.name}: arch assigned 64-bit MSI address, device supports 32")
    return -EIO


async def msi_shutdown(dev: PciDev) -> None:
    """pcimsi_shutdown(): leaves the messages unmasked, as after a reset."""
    await msi_set_enable(dev, 0)
    await pci_intx(dev, enable=1)
    dev.msi_enabled = False
    desc = dev.msi_descs[0]
    await pci_msi_update_mask(desc, clear=desc.multi_mask, add=0)
    dev.irq = desc.default_irq
