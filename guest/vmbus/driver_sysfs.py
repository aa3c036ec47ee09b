# SPDX-License-Identifier: MIT
"""What sysfs lets a user do with a device of the bus: bind, unbind, driver_override.

After drivers/base/bus.c and dd.c. Each store returns 0 or a negative errno, as write(2) would; its
caller holds a reference to the device. Knows no module and no file: see ``driver_files``.
"""

from __future__ import annotations

from errno import ENODEV
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.vmbus.driver_core import device_driver_attach, unbind_device, vmbus_match

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice, HvDriver


async def bind_store(device: HvDevice, driver: HvDriver) -> int:
    """bind_store(): -ENODEV for a device that does not match or is going, -EBUSY for a bound one,
    else what probe returned.
    """
    if not vmbus_match(device, driver):
        return -ENODEV
    return await device_driver_attach(device, driver)


async def unbind_store(device: HvDevice, driver: HvDriver) -> int:
    """unbind_store(): -ENODEV for a device that this driver does not have."""
    await ops.point(device.vmbus.kernel, "dev->driver")
    if device.driver is not driver:
        return -ENODEV
    await unbind_device(device)
    return 0


async def driver_override_store(device: HvDevice, driver: str | None) -> int:
    """driver_override_store(): only a driver of that name binds from here on; None: any again.

    Whoever is bound stays so. Model: memory for the name is never short.
    """
    await ops.point(device.vmbus.kernel, "driver_override.lock")
    device.driver_override = driver
    return 0
