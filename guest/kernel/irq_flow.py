# SPDX-License-Identifier: MIT
"""What happens when an interrupt arrives: kernel/irq/chip.c, handle.c and migration.c.

Edge triggered only, as every MSI is. Runs in hard interrupt context on the CPU that was hit.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL
from typing import TYPE_CHECKING

from guest.kernel.irq import IrqAction, IrqData
from guest.kernel.irq_events import InterruptHandled

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


async def mask_irq(data: IrqData) -> None:
    """mask_irq()."""
    if not data.masked:
        await data.chip.irq_mask(data)
        data.masked = True


async def unmask_irq(data: IrqData) -> None:
    """unmask_irq()."""
    if data.masked:
        await data.chip.irq_unmask(data)
        data.masked = False


async def handle_edge_irq(core: IrqCore, data: IrqData, cpu: int) -> None:
    """handle_edge_irq(): one that arrives while the handler runs elsewhere is run once more.

    Model: where nobody holds the descriptor's lock and nothing has to be done under it but to set
    flags, it is not taken; nobody could see the difference.
    """
    if _eventful(core, data):
        await data.lock.lock()
        await _handle_locked(core, data, cpu)
        await data.lock.unlock()
        return
    action = data.action
    assert action is not None
    data.count[cpu] = data.count.get(cpu, 0) + 1
    data.in_progress = True
    await action.handler(data.irq, action.dev_id)
    core.kernel.emit(InterruptHandled(data.irq, cpu))
    if data.lock.owner is None and not data.pending:
        data.in_progress = False
        return
    await data.lock.lock()
    data.in_progress = False
    if data.pending and not data.disabled:
        await _run_handler(core, data, cpu)
    await data.lock.unlock()


def _eventful(core: IrqCore, data: IrqData) -> bool:
    """Whether the interrupt is more than a call of its handler."""
    return (
        data.lock.owner is not None
        or data.action is None
        or data.disabled
        or data.in_progress
        or data.pending
        or data.move_pending
        or data.apic.move_in_progress
        or core.kernel.fine
    )


async def _handle_locked(core: IrqCore, data: IrqData, cpu: int) -> None:
    if data.in_progress or data.disabled or data.action is None:
        data.pending = True
        await mask_irq(data)
        await _ack(core, data, cpu)
        return
    data.count[cpu] = data.count.get(cpu, 0) + 1
    await _ack(core, data, cpu)
    await _run_handler(core, data, cpu)


async def _run_handler(core: IrqCore, data: IrqData, cpu: int) -> None:
    """The loop of handle_edge_irq(): what has come in meanwhile is handled, too."""
    while True:
        action = data.action
        if action is None:
            await mask_irq(data)
            return
        if data.pending and not data.disabled:
            await unmask_irq(data)
        await handle_irq_event(core, data, action, cpu)
        if not data.pending or data.disabled:
            return


async def handle_irq_event(core: IrqCore, data: IrqData, action: IrqAction, cpu: int) -> None:
    """handle_irq_event(): the handler runs without the lock, which the caller holds."""
    data.pending = False
    data.in_progress = True
    await data.lock.unlock()
    await action.handler(data.irq, action.dev_id)
    core.kernel.emit(InterruptHandled(data.irq, cpu))
    await data.lock.lock()
    data.in_progress = False


async def _ack(core: IrqCore, data: IrqData, cpu: int) -> None:
    """apic_ack_edge(): finish an earlier move, begin one that waits, end of interrupt."""
    core.vectors.irq_ack(data, cpu)
    if data.move_pending:
        await _move_irq(core, data)


async def _move_irq(core: IrqCore, data: IrqData) -> None:
    """__irq_move_irq(): mask, re-target, unmask, so that nothing is lost in between."""
    if data.disabled:
        return
    masked = data.masked
    if not masked:
        await data.chip.irq_mask(data)
    await _move_masked_irq(core, data)
    if not masked:
        await data.chip.irq_unmask(data)


async def _move_masked_irq(core: IrqCore, data: IrqData) -> None:
    """irq_move_masked_irq(): a move the vectors are not ready for waits for the next interrupt."""
    data.move_pending = False
    reachable = data.pending_mask & core.kernel.cpu_online_mask
    if reachable and do_set_affinity(core, data, data.pending_mask) == -EBUSY:
        data.move_pending = True
        return
    data.pending_mask = 0


def do_set_affinity(core: IrqCore, data: IrqData, mask: int) -> int:
    """irq_do_set_affinity(): another vector if need be; no message is composed.

    The chip's irq_set_affinity is the parent's: a bridge driver tells its host when it unmasks.
    """
    online = mask & core.kernel.cpu_online_mask
    if not online:
        return -EINVAL
    ret = core.vectors.set_affinity(data, online)
    if ret == 0:
        data.affinity = mask
    return ret
