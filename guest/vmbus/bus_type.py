# SPDX-License-Identifier: MIT
"""The bus as the driver core keeps it: its devices, its drivers, and who is bound to whom.

After drivers/base/bus.c, driver.c and dd.c. Knows no message and no channel.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from errno import EBUSY, ENODEV
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import WaitQueue
from guest.vmbus.driver_core import (
    device_attach,
    device_driver_attach,
    get_device,
    put_device,
    unbind_device,
    vmbus_match,
)
from guest.vmbus.driver_files import BindFiles

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import HvDevice, HvDriver

_by_number = attrgetter("number")


class BusType:
    """struct bus_type and what the core keeps for it.

    ``probing`` has a driver once for each device that it is being tried on: while it is there, its
    removal from the bus waits (klist_remove()). ``files`` are the drivers' in sysfs.
    """

    __slots__ = ("_kernel", "_next_number", "_tried", "bound", "devices", "drivers", "files",
                 "probing")  # fmt: skip

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._next_number = 1
        self.devices: list[HvDevice] = []  # klist_devices of the bus, oldest first
        self.drivers: list[HvDriver] = []
        self.bound: dict[HvDevice, HvDriver] = {}  # klist_devices of all drivers, oldest first
        self.probing: list[HvDriver] = []
        self.files = BindFiles(kernel)
        self._tried = WaitQueue("klist_remove")

    def add(self, device: HvDevice) -> None:
        """bus_add_device(): drivers that come later find it."""
        device.number = self._next_number
        self._next_number += 1
        self.devices.append(device)

    def remove(self, device: HvDevice) -> None:
        """bus_remove_device(), as far as finding goes: nothing for one that is off the bus."""
        at = bisect_left(self.devices, device.number, key=_by_number)
        if at < len(self.devices) and self.devices[at] is device:
            del self.devices[at]

    def find(self, name: str) -> HvDevice | None:
        """bus_find_device_by_name(): the caller takes a reference before it suspends."""
        return next((device for device in self.devices if device.name == name), None)

    async def probe(self, device: HvDevice, driver: HvDriver) -> int:
        """really_probe(): 0, or what the driver said; the caller holds the device's lock.

        -ENODEV for a device that is going, -EBUSY for one that has a driver: what
        __driver_probe_device() looks at before. -EPROBE_DEFER while no device may be probed; it is
        tried again afterwards.
        """
        if device.dead:
            return -ENODEV
        if device.driver is not None:
            return -EBUSY
        probing = self._kernel.probing
        if probing.deferring:
            return probing.put_off(device, partial(device_attach, device))
        device.driver = driver
        probing.begin()
        self.probing.append(driver)
        error = await driver.probe(device)
        if error:
            self._kernel.log("err", f"probe failed for device {device.name} ({error})")
            device.driver = None
            device.drvdata = None  # device_unbind_cleanup()
        else:
            self.bound[device] = driver
        self.probing.remove(driver)
        probing.end()
        ops.wake_all(self._kernel, self._tried)
        return error

    async def register(self, driver: HvDriver) -> int:
        """driver_register(): 0, or -EBUSY if there is one of that name.

        driver_attach() tries it on every device that is there, one after another, and drops their
        errors; devices that come meanwhile try it themselves.
        """
        if any(known.name == driver.name for known in self.drivers):
            return -EBUSY
        self.drivers.append(driver)
        tried = 0
        while (at := bisect_right(self.devices, tried, key=_by_number)) < len(self.devices):
            device = get_device(self.devices[at])
            tried = device.number
            if vmbus_match(device, driver):
                await device_driver_attach(device, driver)
            await put_device(device)
        self.files.add(driver)
        return 0

    async def unregister(self, driver: HvDriver) -> None:
        """driver_unregister(): nothing binds to it from here on, and it lets go of each device.

        driver_detach() takes the youngest device, holds it, unbinds it, and looks again: a rescind
        may have been quicker with any of them.
        """
        ops.forbid_sleep(self._kernel, "driver_unregister")
        await self.files.remove(driver)
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
