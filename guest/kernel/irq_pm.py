# SPDX-License-Identifier: MIT
"""Interrupts of devices while the machine hibernates: kernel/irq/pm.c.

VMBus has no descriptor of this kind: its interrupt goes on until the machine is off.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel.irq_manage import disable_irq_nosync, enable_irq, synchronize_irq

if TYPE_CHECKING:
    from guest.kernel.irq_core import IrqCore


async def suspend_device_irqs(core: IrqCore) -> None:
    """suspend_device_irqs(): no handler runs from here on; what comes is kept for later."""
    for irq, data in list(core.descs.items()):
        if data.action is not None and not data.freed:
            data.suspended = True
            await disable_irq_nosync(core, irq)
            await synchronize_irq(core, irq)


async def resume_device_irqs(core: IrqCore) -> None:
    """resume_device_irqs(): those that were suspended, wherever they are now."""
    for irq, data in list(core.descs.items()):
        if data.suspended and not data.freed:
            data.suspended = False
            await enable_irq(core, irq)
