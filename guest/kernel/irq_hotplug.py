# SPDX-License-Identifier: MIT
"""Interrupts when a CPU goes or comes: kernel/irq/cpuhotplug.c and fixup_irqs() of x86."""

from __future__ import annotations

from errno import ENOSPC
from typing import TYPE_CHECKING

from guest.kernel.irq import IrqData
from guest.kernel.irq_flow import do_set_affinity
from guest.kernel.irq_manage import irq_shutdown, irq_startup

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


async def migrate_all_off_cpu(core: IrqCore, cpu: int) -> None:
    """fixup_irqs() of a CPU that is going offline (its online bit is cleared here)."""
    core.kernel.cpu_online_mask &= ~(1 << cpu)
    for data in _held(core):
        await data.lock.lock_irqsave()
        if not data.freed:
            await _migrate_one(core, data, cpu)
        await data.lock.unlock_irqrestore()
        await core.release(data)
    core.vectors.cpu_offline(cpu)


async def _migrate_one(core: IrqCore, data: IrqData, cpu: int) -> None:
    """migrate_one_irq(). The chip is masked meanwhile where vectors cannot move otherwise."""
    online = core.kernel.cpu_online_mask
    maskchip = core.vectors.moves_at_interrupt and not data.masked
    core.vectors.force_complete_move(data, cpu)
    if not data.started or not data.effective_affinity >> cpu & 1:
        if data.move_pending and not data.pending_mask & online:
            data.move_pending = False
        return
    affinity = data.affinity
    if data.move_pending and data.pending_mask & online:
        affinity = data.pending_mask
    data.move_pending = False
    if maskchip:
        await data.chip.irq_mask(data)
    if not affinity & online:
        if data.managed:
            data.managed_shutdown = True
            await irq_shutdown(data)
            await core.deactivate(data)
            return
        affinity = online
    ret = do_set_affinity(core, data, affinity)
    if ret == -ENOSPC and not data.managed:
        ret = do_set_affinity(core, data, online)
    if ret < 0:
        core.kernel.log("warn", f"IRQ{data.irq}: set affinity failed({ret}).")
    if maskchip:
        await data.chip.irq_unmask(data)


async def restore_on_cpu(core: IrqCore, cpu: int) -> None:
    """irq_affinity_online_cpu(): managed interrupts that waited for this CPU start up.

    One that is suspended starts with the others of its kind (``irq_pm``).
    """
    core.kernel.cpu_online_mask |= 1 << cpu
    core.vectors.cpu_online(cpu)
    for data in _held(core):
        await data.lock.lock_irqsave()
        waits = data.managed_shutdown and data.action is not None and not data.suspended
        if waits and data.affinity >> cpu & 1:
            await irq_startup(core, data)
        await data.lock.unlock_irqrestore()
        await core.release(data)


def _held(core: IrqCore) -> list[IrqData]:
    """Every descriptor, held: as under the lock of the sparse descriptor tree."""
    datas = list(core.descs.values())
    for data in datas:
        data.readers += 1
    return datas
