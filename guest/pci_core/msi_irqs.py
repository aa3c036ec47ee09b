# SPDX-License-Identifier: MIT
"""Interrupts behind a device's MSI descriptors: kernel/irq/msi.c. Touches no register itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import ENOSPC

from guest.kernel.irq_affinity import AffinityRequest, irq_calc_affinity_vectors
from guest.kernel.irq_core import IrqCore
from guest.pci_core.types import MsiDesc, PciDev


async def setup_msi_irqs(irqs: IrqCore, dev: PciDev) -> int:
    """__msi_domain_alloc_irqs(): 0, or after a failure what msi_handle_pci_fail() makes of it.

    Where vectors are reserved, interrupts that can be masked have no more than that here; their
    message points at a dummy vector.
    """
    first = next(iter(dev.msi_descs.values()))
    can_reserve = irqs.vectors.reserves and (first.is_msix or first.can_mask)
    for allocated, desc in enumerate(dev.msi_descs.values()):
        irq = await irqs.alloc_irqs(
            dev.bus.bridge.msi,
            desc.nvec_used,
            hwirq=_calc_hwirq(desc),
            node=dev.numa_node,
            affinity=desc.affinity,
        )
        if irq < 0:
            return 1 if desc.nvec_used > 1 else (allocated or -ENOSPC)
        desc.irq = irq
        for number in range(irq, irq + desc.nvec_used):
            irqs.descs[number].msi_desc = desc
        for number in range(irq, irq + desc.nvec_used):
            data = irqs.descs[number]
            ret = await irqs.early_activate(data, can_reserve=can_reserve)
            if ret < 0:
                return ret
    return 0


def _calc_hwirq(desc: MsiDesc) -> int:
    """pci_msi_domain_calc_hwirq()."""
    dev = desc.pci_dev
    device_id = dev.bus.number << 8 | dev.devfn
    return desc.index | device_id << 11 | dev.bus.domain_nr << 27


async def free_msi_irqs(irqs: IrqCore, dev: PciDev) -> None:
    """pci_free_msi_irqs(): deactivate, free the interrupts, then the descriptors."""
    for desc in dev.msi_descs.values():
        if not desc.irq:
            continue
        for number in range(desc.irq, desc.irq + desc.nvec_used):
            await irqs.deactivate(irqs.descs[number])
        await irqs.free_irqs(desc.irq, desc.nvec_used)
        desc.irq = 0
    descs = list(dev.msi_descs.values())
    dev.msi_descs = {}
    dev.msix_base = None
    for desc in descs:
        await dev.kernel.kfree(desc)


async def enable_range(
    min_vecs: int,
    nvec: int,
    cpus: int,
    affd: AffinityRequest | None,
    init: Callable[[int], Awaitable[int]],
) -> int:
    """The loop of __pci_enable_msi(x)_range(): again with fewer while the set-up asks for that.

    ``init`` gets the number of vectors and returns 0, a negative errno or a smaller number.
    """
    while True:
        if affd is not None:
            nvec = irq_calc_affinity_vectors(min_vecs, nvec, cpus, affd)
        if nvec < min_vecs:
            return -ENOSPC
        ret = await init(nvec)
        if ret == 0:
            return nvec
        if ret < 0:
            return ret
        nvec = ret
