# SPDX-License-Identifier: MIT
"""A VMBus device in hibernation: its driver's suspend and resume. After vmbus_pm of vmbus_drv.c.

Both run in the noirq phase, as those of the PCI devices behind it do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guest.kernel.dpm import PmOps

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice


async def vmbus_suspend(device: HvDevice) -> int:
    """vmbus_suspend(): 0, or what the driver said; a device without one has nothing to do."""
    return 0 if device.driver is None else await device.driver.suspend(device)


async def vmbus_resume(device: HvDevice) -> int:
    """vmbus_resume(): the same."""
    return 0 if device.driver is None else await device.driver.resume(device)


def pm_ops(device: HvDevice) -> PmOps:
    """vmbus_pm."""
    suspend, resume = partial(vmbus_suspend, device), partial(vmbus_resume, device)
    return PmOps(freeze_noirq=suspend, thaw_noirq=resume, restore_noirq=resume)
