# SPDX-License-Identifier: MIT
"""What happens when an SPI arrives: handle_fasteoi_irq() of kernel/irq/chip.c.

The controller keeps an interrupt active until it is told of its end, so that it cannot come in
twice at a time. Runs in hard interrupt context on the CPU that was hit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guest.kernel.irq import IrqData
from guest.kernel.irq_flow import handle_irq_event, mask_irq

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


async def handle_fasteoi_irq(
    core: IrqCore, data: IrqData, cpu: int, eoi: Callable[[int], None]
) -> None:
    """handle_fasteoi_irq(); ``eoi`` tells the controller, by INTID.

    One that comes in while its handler runs elsewhere is dropped (IRQD_RESEND_WHEN_IN_PROGRESS is
    not set for SPIs): the active state keeps that from happening.
    """
    await data.lock.lock()
    action = data.action
    if data.in_progress:
        eoi(data.vector)
    elif action is None or data.disabled:
        data.pending = True
        await mask_irq(data)
        eoi(data.vector)
    else:
        data.count[cpu] = data.count.get(cpu, 0) + 1
        await handle_irq_event(core, data, action, cpu)
        eoi(data.vector)
        if data.pending:
            data.pending = False
            core.vectors.retrigger(data)
    await data.lock.unlock()
