# SPDX-License-Identifier: MIT
"""What a function driver asks about its vectors: drivers/pci/msi/api.c.

The two mechanisms are in ``msix`` and ``msi_plain``, the interrupts behind them in ``msi_irqs``.
"""

from __future__ import annotations

from errno import EINVAL, ENOSPC

from guest.kernel.irq_affinity import AffinityRequest
from guest.kernel.irq_core import IrqCore
from guest.pci_core.msi_irqs import free_msi_irqs
from guest.pci_core.msi_plain import enable_msi_range, msi_shutdown
from guest.pci_core.msix import enable_msix_range, msix_shutdown
from guest.pci_core.types import PciDev

PCI_IRQ_MSI = 1 << 1
PCI_IRQ_MSIX = 1 << 2
PCI_IRQ_AFFINITY = 1 << 3


async def pci_alloc_irq_vectors(
    irqs: IrqCore,
    dev: PciDev,
    min_vecs: int,
    max_vecs: int,
    flags: int,
    affd: AffinityRequest | None = None,
) -> int:
    """pci_alloc_irq_vectors_affinity(): MSI-X, else MSI; how many vectors, or a negative errno.

    With PCI_IRQ_AFFINITY the vectors are managed and spread over the CPUs as ``affd`` says.
    Model: no INTx, a vPCI function has no interrupt pin.
    """
    spread = (affd or AffinityRequest()) if flags & PCI_IRQ_AFFINITY else None
    ret = -ENOSPC
    if flags & PCI_IRQ_MSIX:
        ret = await enable_msix_range(irqs, dev, min_vecs, max_vecs, spread)
        if ret > 0:
            return ret
    if flags & PCI_IRQ_MSI:
        ret = await enable_msi_range(irqs, dev, min_vecs, max_vecs, spread)
    return ret


def pci_irq_vector(dev: PciDev, nr: int) -> int:
    """pci_irq_vector(): the Linux interrupt number of vector ``nr``, or -EINVAL."""
    if dev.msix_enabled:
        desc = dev.msi_descs.get(nr)
        return desc.irq if desc is not None and desc.irq else -EINVAL
    desc = dev.msi_descs.get(0)
    if not dev.msi_enabled or desc is None or not 0 <= nr < desc.nvec_used:
        return -EINVAL
    return desc.irq + nr


async def pci_free_irq_vectors(irqs: IrqCore, dev: PciDev) -> None:
    """pci_free_irq_vectors(): the handlers have been freed by the caller."""
    if dev.msix_enabled:
        await dev.msi_mutex.lock()
        await msix_shutdown(dev)
        await free_msi_irqs(irqs, dev)
        await dev.msi_mutex.unlock()
    if dev.msi_enabled:
        await dev.msi_mutex.lock()
        await msi_shutdown(dev)
        await free_msi_irqs(irqs, dev)
        await dev.msi_mutex.unlock()
