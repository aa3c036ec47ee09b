# SPDX-License-Identifier: MIT
"""The driver core's part of the bus: which driver has which device, and how long a device lives.

After drivers/base/dd.c, bus.c and core.c. Knows no message and no channel's life: what goes with a
device's last reference is for whoever made the device to say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import WaitQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import HvDevice, HvDriver


class BusType:
    """struct bus_type and what the core keeps for it: its drivers, and what is bound to them.

    ``probing`` has a driver once for each device that it is being tried on: while it is there, its
    removal from the bus waits (klist_remove()).
    """

    __slots__ = ("_kernel", "_tried", "bound", "drivers", "probing")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.drivers: list[HvDriver] = []
        self.bound: dict[HvDevice, HvDriver] = {}  # klist_devices of all drivers, oldest first
        self.probing: list[HvDriver] = []
        self._tried = WaitQueue("klist_remove")

    async def probe(self, device: HvDevice, driver: HvDriver) -> int:
        """really_probe(): 0, or what the driver said; the caller holds the device's lock."""
        device.driver = driver
        self.probing.append(driver)
        error = await driver.probe(device)
        if error:
            device.driver = None
        else:
            self.bound[device] = driver
        self.probing.remove(driver)
        ops.wake_all(self._kernel, self._tried)
        return error

    async def unregister(self, driver: HvDriver) -> None:
        """driver_unregister(): nothing binds to it from here on, and it lets go of each device.

        driver_detach() takes the youngest device, holds it, unbinds it, and looks again: a rescind
        may have been quicker with any of them.
        """
        ops.forbid_sleep(self._kernel, "driver_unregister")
        self.drivers.remove(driver)
        while driver in self.probing:
            await ops.park(self._kernel, self._tried)
        while True:
            device = next((dev for dev in reversed(self.bound) if self.bound[dev] is driver), None)
            if device is None:
                return
            get_device(device)
            await unbind_device(device, driver)
            await put_device(device)


def get_device(device: HvDevice) -> HvDevice:
    """get_device(): the device stays until the matching put_device()."""
    device.references.get()
    return device


async def put_device(device: HvDevice) -> None:
    """put_device(): whoever gives the last reference back releases the device."""
    if device.references.put():
        await device.release(device)


async def bind_device(device: HvDevice) -> int:
    """device_attach(): match and probe; 0, or what the driver's probe returned.

    A device whose probe failed stays on the bus without a driver.
    """
    bus = device.vmbus.bus
    interface = device.channel.offer.offer.if_type
    await device.lock.lock()
    driver = next((drv for drv in bus.drivers if drv.interface == interface), None)
    error = 0
    if driver is not None and device.driver is None:
        error = await bus.probe(device, driver)
        if error:
            device.vmbus.kernel.log("err", f"probe failed for device {device.name} ({error})")
    await device.lock.unlock()
    return error


async def unbind_device(device: HvDevice, driver: HvDriver | None = None) -> None:
    """device_release_driver_internal(): the driver lets go; the device stays on the bus.

    With ``driver``, only if that one still has the device.
    """
    await device.lock.lock()
    bound = device.driver
    if bound is not None and driver in (None, bound):
        await bound.remove(device)
        device.driver = None
        del device.vmbus.bus.bound[device]
    await device.lock.unlock()


async def device_unregister(device: HvDevice) -> None:
    """device_unregister(): off the bus, and the reference of its registration goes."""
    await unbind_device(device)
    await put_device(device)
