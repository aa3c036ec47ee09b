# SPDX-License-Identifier: MIT
"""Interrupts when a CPU goes or comes: kernel/irq/cpuhotplug.c, and __cpu_disable() around it."""

from __future__ import annotations

from errno import ENOSPC
from functools import partial
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.cpu_hotplug import CpuhpState, CpuhpStep, nothing
from guest.kernel.irq import IrqData
from guest.kernel.irq_events import InterruptShutDown
from guest.kernel.irq_flow import do_set_affinity
from guest.kernel.irq_manage import irq_shutdown, irq_startup

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


def register(core: IrqCore) -> None:
    """Tell the interrupt core of CPUs that go and come (smpboot.c, and kernel/cpu.c's table)."""
    hotplug = core.kernel.hotplug
    hotplug.setup_state(
        CpuhpStep(CpuhpState.AP_STARTING, partial(_cpu_starting, core), partial(_cpu_disable, core))
    )
    hotplug.setup_state(
        CpuhpStep(CpuhpState.AP_IRQ_AFFINITY_ONLINE, partial(_affinity_online_cpu, core), nothing)
    )


async def _cpu_starting(core: IrqCore, cpu: int) -> int:
    core.vectors.cpu_online(cpu)
    return 0


async def _cpu_disable(core: IrqCore, cpu: int) -> int:
    """__cpu_disable() of a CPU whose online bit is cleared, with the machine stopped.

    -ENOSPC if the others have no room for its vectors.
    """
    ret = core.vectors.can_unplug(cpu)
    if ret < 0:
        return ret
    await irq_migrate_all_off_this_cpu(core, cpu)
    if core.vectors.settle_us:
        await ops.udelay(core.kernel, core.vectors.settle_us)
    for data in core.vectors.left_behind(cpu):
        data.chip.irq_retrigger(data)
    core.vectors.cpu_offline(cpu)
    return 0


async def irq_migrate_all_off_this_cpu(core: IrqCore, cpu: int) -> None:
    """irq_migrate_all_off_this_cpu(): what is aimed at the CPU is aimed elsewhere."""
    for data in _held(core):
        await data.lock.lock()
        if not data.freed:
            await _migrate_one(core, data, cpu)
        await data.lock.unlock()
        await core.release(data)


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
            core.kernel.emit(InterruptShutDown(data.irq, cpu))
            return
        affinity = online
    ret = do_set_affinity(core, data, affinity)
    if ret == -ENOSPC and not data.managed:
        ret = do_set_affinity(core, data, online)
    if ret < 0:
        core.kernel.log("warn", f"IRQ{data.irq}: set affinity failed({ret}).")
    if maskchip:
        await data.chip.irq_unmask(data)


async def _affinity_online_cpu(core: IrqCore, cpu: int) -> int:
    """irq_affinity_online_cpu(): managed interrupts that waited for this CPU start up.

    One that is suspended starts with the others of its kind (``irq_pm``).
    """
    for data in _held(core):
        await data.lock.lock_irqsave()
        waits = data.managed_shutdown and data.action is not None and not data.suspended
        if waits and data.affinity >> cpu & 1:
            await irq_startup(core, data)
        await data.lock.unlock_irqrestore()
        await core.release(data)
    return 0


def _held(core: IrqCore) -> list[IrqData]:
    """Every descriptor, held: as under the lock of the sparse descriptor tree."""
    datas = list(core.descs.values())
    for data in datas:
        data.readers += 1
    return datas
