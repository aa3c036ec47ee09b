# SPDX-License-Identifier: MIT
"""What drivers and administrators ask of an interrupt: kernel/irq/manage.c and chip.c.

MSIs are never shared, so a line has at most one handler. Errors are negative errnos.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL, EIO
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.cpu import NUMA_NO_NODE
from guest.kernel.irq import IrqAction, IrqData, IrqHandler
from guest.kernel.irq_events import InterruptFreed, InterruptRequested
from guest.kernel.irq_flow import do_set_affinity, mask_irq, unmask_irq

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


async def request_irq(
    core: IrqCore, irq: int, handler: IrqHandler, name: str, dev_id: object
) -> int:
    """request_irq(): activate, start up, install the handler. May sleep."""
    data = core.descs.get(irq)
    if data is None:
        return -EINVAL
    await data.request_mutex.lock()
    await data.lock.lock_irqsave()
    ret = await _setup_irq(core, data, IrqAction(handler, name, dev_id))
    await data.lock.unlock_irqrestore()
    await data.request_mutex.unlock()
    if ret == 0:
        core.kernel.emit(InterruptRequested(irq, name))
    return ret


async def _setup_irq(core: IrqCore, data: IrqData, action: IrqAction) -> int:
    """The part of __setup_irq() under the descriptor's lock."""
    if data.action is not None:
        return -EBUSY
    if not data.managed:  # irq_activate(); a managed one is activated when it starts up
        ret = await core.activate(data, reserve=False)
        if ret < 0:
            return ret
    data.in_progress = False
    await irq_startup(core, data)
    data.action = action
    return 0


async def irq_startup(core: IrqCore, data: IrqData) -> None:
    """irq_startup(): re-target if it is managed, unmask, and resend what came meanwhile."""
    data.depth = 0
    if data.started:
        await _irq_enable(data)
    elif not data.managed:
        await _irq_enable(data)
        data.started = True
        _setup_affinity(core, data)
    elif not await _startup_managed(core, data):
        return
    if data.pending:
        data.pending = False
        core.vectors.retrigger(data)


async def _startup_managed(core: IrqCore, data: IrqData) -> bool:
    """__irq_startup_managed(): False if no CPU of the mask is online; it stays shut down then."""
    data.managed_shutdown = False
    started = bool(data.affinity & core.kernel.cpu_online_mask)
    if not started or await core.activate(data, reserve=False) < 0:
        data.managed_shutdown = True
        return False
    do_set_affinity(core, data, data.affinity)
    await _irq_enable(data)
    data.started = True
    return True


async def _irq_enable(data: IrqData) -> None:
    data.disabled = False
    await unmask_irq(data)


def _setup_affinity(core: IrqCore, data: IrqData) -> None:
    """irq_setup_affinity(): the user's mask if it has a CPU online, inside the node if it can."""
    online = core.kernel.cpu_online_mask
    mask = core.default_affinity
    if data.affinity_set:
        if data.affinity & online:
            mask = data.affinity
        else:
            data.affinity_set = False
    mask = mask & online or online
    if NUMA_NO_NODE != data.node < len(core.vectors.nodes):
        mask = mask & core.vectors.nodes[data.node] or mask
    do_set_affinity(core, data, mask)


async def irq_shutdown(data: IrqData) -> None:
    """irq_shutdown(): mask; the vector stays until no handler can run.

    One that waits to be delivered again (IRQS_PENDING) still does at the next startup.
    """
    if data.started:
        data.depth = 1
        data.disabled = True
        await mask_irq(data)
        data.started = False


async def free_irq(core: IrqCore, irq: int, dev_id: object) -> None:
    """free_irq(): when it returns the handler neither runs nor ever will. May sleep."""
    data = core.descs.get(irq)
    if data is None:
        return
    await data.request_mutex.lock()
    await data.lock.lock_irqsave()
    action = data.action
    if action is None or action.dev_id is not dev_id:
        core.kernel.log("warn", f"Trying to free already-free IRQ {irq}")
        await data.lock.unlock_irqrestore()
        await data.request_mutex.unlock()
        return
    data.action = None
    await irq_shutdown(data)
    await data.lock.unlock_irqrestore()
    await _synchronize(core, data)
    await data.lock.lock_irqsave()
    await core.deactivate(data)
    await data.lock.unlock_irqrestore()
    await data.request_mutex.unlock()
    core.kernel.emit(InterruptFreed(irq, action.name))


async def synchronize_irq(core: IrqCore, irq: int) -> None:
    """synchronize_irq(): wait until no handler of this interrupt runs on any CPU."""
    data = core.descs.get(irq)
    if data is not None:
        await _synchronize(core, data)


async def _synchronize(core: IrqCore, data: IrqData) -> None:
    while data.in_progress:
        await ops.udelay(core.kernel, 1)


async def disable_irq_nosync(core: IrqCore, irq: int) -> None:
    """disable_irq_nosync(): lazily, so the device is masked only if it interrupts meanwhile."""
    data = core.descs[irq]
    await data.lock.lock_irqsave()
    if data.depth == 0:
        data.disabled = True
    data.depth += 1
    await data.lock.unlock_irqrestore()


async def enable_irq(core: IrqCore, irq: int) -> None:
    """enable_irq(): undoes one disable; what came meanwhile is delivered now."""
    data = core.descs[irq]
    await data.lock.lock_irqsave()
    if data.depth == 0:
        core.kernel.log("warn", f"Unbalanced enable for IRQ {irq}")
    elif data.depth == 1:
        await irq_startup(core, data)
    else:
        data.depth -= 1
    await data.lock.unlock_irqrestore()


async def set_affinity(core: IrqCore, irq: int, mask: int) -> int:
    """A write to /proc/irq/N/smp_affinity; -EIO for a managed one, -EINVAL if no CPU is online."""
    data = core.descs.get(irq)
    if data is None:
        return -EINVAL
    if data.managed:
        return -EIO
    if not mask & core.kernel.cpu_online_mask:
        return -EINVAL
    data.readers += 1
    await data.lock.lock_irqsave()
    ret = _set_affinity_locked(core, data, mask)
    await data.lock.unlock_irqrestore()
    await core.release(data)
    return ret


def _set_affinity_locked(core: IrqCore, data: IrqData, mask: int) -> int:
    """irq_set_affinity_locked().

    Where vectors move at an interrupt, the mask waits for the next one, whose acknowledgement moves
    it (irq_move_irq()), and one that is inactive takes the mask as it is.
    """
    data.affinity_set = True
    if not core.vectors.moves_at_interrupt:
        return do_set_affinity(core, data, mask)
    if data.activated:
        data.move_pending = True
        data.pending_mask = mask
    else:
        data.affinity = data.effective_affinity = mask
    return 0
