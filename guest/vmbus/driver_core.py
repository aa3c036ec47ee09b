# SPDX-License-Identifier: MIT
"""The driver core's part of a device: how it gets its driver and loses it, and how long it lives.

After drivers/base/dd.c and core.c; the bus itself is in ``bus_type``. Knows no message and no
channel's life: what goes with a device's last reference is for whoever made the device to say.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from guest.kernel.dpm import Hold
from guest.vmbus.device_pm import pm_ops

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice, HvDriver


def get_device(device: HvDevice) -> HvDevice:
    """get_device(): the device stays until the matching put_device()."""
    device.references.get()
    return device


async def put_device(device: HvDevice) -> None:
    """put_device(): whoever gives the last reference back releases the device."""
    if device.references.put():
        await device.release(device)


def device_hold(device: HvDevice) -> Hold:
    """What somebody needs who keeps the device for a while."""
    return Hold(partial(get_device, device), partial(put_device, device))


def vmbus_match(device: HvDevice, driver: HvDriver) -> bool:
    """vmbus_match(): an override names the only driver that may; else the interface decides."""
    if device.driver_override is not None:
        return device.driver_override == driver.name
    return driver.interface == device.channel.offer.offer.if_type


async def device_register(device: HvDevice) -> int:
    """device_register(): on the bus, and offered to its drivers; 0, or what probe returned."""
    device.vmbus.bus.add(device)
    device.vmbus.kernel.pm.add(device, device.name, pm_ops(device), device_hold(device))
    return await device_attach(device)


async def device_attach(device: HvDevice) -> int:
    """device_attach(): match and probe; 0, or what the driver's probe returned.

    A device whose probe failed stays on the bus without a driver.
    """
    bus = device.vmbus.bus
    await device.lock.lock()
    error = 0
    driver = next((drv for drv in bus.drivers if vmbus_match(device, drv)), None)
    if driver is not None and device.driver is None:
        error = await bus.probe(device, driver)
    await device.lock.unlock()
    return error


async def device_driver_attach(device: HvDevice, driver: HvDriver) -> int:
    """device_driver_attach(): that driver and no other, which was matched before."""
    await device.lock.lock()
    error = await device.vmbus.bus.probe(device, driver)
    await device.lock.unlock()
    return error


async def unbind_device(device: HvDevice, driver: HvDriver | None = None) -> None:
    """device_release_driver_internal(): the driver lets go; the device stays on the bus.

    With ``driver``, only if that one still has the device.
    """
    await device.lock.lock()
    await _release_driver(device, driver)
    await device.lock.unlock()


async def device_unregister(device: HvDevice) -> None:
    """device_unregister(): off the bus, and the reference of its registration goes.

    Model: it is dead and unbound under one hold of its lock. Linux lets go in between, when nobody
    can bind to it any more.
    """
    await device.lock.lock()
    device.dead = True
    kernel = device.vmbus.kernel
    kernel.pm.remove(device)
    kernel.probing.forget(device)
    device.vmbus.bus.remove(device)
    await _release_driver(device, None)
    await device.lock.unlock()
    await put_device(device)


async def _release_driver(device: HvDevice, driver: HvDriver | None) -> None:
    """__device_release_driver(); the caller holds the device's lock."""
    bound = device.driver
    if bound is not None and driver in (None, bound):
        await bound.remove(device)
        device.driver = None
        device.drvdata = None
        del device.vmbus.bus.bound[device]
