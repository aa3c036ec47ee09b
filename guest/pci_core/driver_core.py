# SPDX-License-Identifier: MIT
"""Devices meet drivers: bus.c, pci-driver.c and as much of drivers/base/dd.c as shows."""

from __future__ import annotations

from errno import ENODEV
from functools import partial

from guest.kernel.work import work_on_cpu
from guest.pci_core.events import DmaConfigured, DriverBound, DriverProbeFailed, DriverUnbound
from guest.pci_core.ports import FunctionDriver
from guest.pci_core.refs import pci_dev_get, pci_dev_put
from guest.pci_core.state import pci_save_state
from guest.pci_core.types import PciBus, PciDev


async def pci_bus_add_devices(bus: PciBus) -> None:
    """pci_bus_add_devices(): every device that was not added yet is offered to the drivers."""
    for dev in bus.devices:
        if not dev.is_added:
            await _pci_bus_add_device(dev)


async def _pci_bus_add_device(dev: PciDev) -> None:
    """pci_bus_add_device(): a device no driver wants, or whose probe fails, is added all the same.

    Its configuration space is saved, to be restored after an error.
    """
    await pci_save_state(dev)
    dev.match_driver = True
    await device_attach(dev)
    dev.is_added = True


async def device_attach(dev: PciDev) -> int:
    """device_attach(): the first driver that matches and probes; 1 bound, 0 none."""
    await dev.device_lock.lock()
    bound = 0
    if dev.driver is None:
        for driver in dev.bus.pci.drivers:
            if driver.match(dev) and await _pci_device_probe(driver, dev) == 0:
                bound = 1
                break
    await dev.device_lock.unlock()
    return bound


async def bind_driver(dev: PciDev, driver: FunctionDriver) -> int:
    """A write to a driver's ``bind`` in sysfs: 0, or a negative errno.

    -ENODEV if the device is bound already, does not match, was removed meanwhile, or was only
    scanned so far (pci_bus_match() looks at ``match_driver``).
    """
    await dev.device_lock.lock()
    ret = -ENODEV
    bindable = dev.driver is None and dev.is_registered and dev.match_driver
    if bindable and driver.match(dev):
        ret = await _pci_device_probe(driver, dev)
    await dev.device_lock.unlock()
    return ret


async def _pci_device_probe(driver: FunctionDriver, dev: PciDev) -> int:
    """pci_device_probe(): a bound driver holds a reference to the device.

    -EPROBE_DEFER while no device may be probed; it is tried again afterwards. While a driver probes
    no CPU may go or come (pci_call_probe()).
    """
    probing = dev.kernel.probing
    if probing.deferring:
        return probing.put_off(dev, partial(device_attach, dev))
    pci_dev_get(dev)
    dev.driver = driver
    probing.begin()
    _pci_dma_configure(dev)
    ret = await _pci_call_probe(driver, dev)
    probing.end()
    if ret < 0:
        dev.driver = None
        dev.kernel.emit(DriverProbeFailed(dev.name, driver.name, ret))
        dev.kernel.log("err", f"{driver.name} {dev.name}: probe failed with error {ret}")
        await pci_dev_put(dev)
        return ret
    dev.kernel.emit(DriverBound(dev.name, driver.name))
    return 0


def _pci_dma_configure(dev: PciDev) -> None:
    """pci_dma_configure(): what the ACPI companion of the host bridge says; nothing without one.

    Model: it is noted and no more, since the lab's devices and CPUs have no caches.
    """
    coherent = dev.bus.bridge.coherent_dma
    if coherent is not None:
        dev.coherent_dma = coherent
        dev.kernel.emit(DmaConfigured(dev.name, coherent))


async def _pci_call_probe(driver: FunctionDriver, dev: PciDev) -> int:
    """pci_call_probe(): by a worker on the device's node, by the caller where it is on none."""
    kernel = dev.kernel
    await kernel.hotplug.disable()
    cpu = dev.bus.pci.irqs.cpu_of_node(dev.numa_node)
    if cpu is None:
        ret = await driver.probe(dev)
    else:
        ret = await work_on_cpu(kernel, cpu, "local_pci_probe", partial(driver.probe, dev))
    kernel.hotplug.enable()
    return ret


async def device_release_driver(dev: PciDev) -> None:
    """device_release_driver(): the driver's remove, once; also a write to ``unbind`` in sysfs."""
    await dev.device_lock.lock()
    driver = dev.driver
    if driver is not None:
        await driver.remove(dev)
        dev.driver = None
        dev.kernel.emit(DriverUnbound(dev.name, driver.name))
    await dev.device_lock.unlock()
    if driver is not None:
        await pci_dev_put(dev)
