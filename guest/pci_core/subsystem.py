# SPDX-License-Identifier: MIT
"""The PCI core of one guest kernel, as its users call it. Holds no logic: each method is the
kernel function of that name in the module beside this one, whose coroutine it hands on.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from errno import EEXIST
from typing import Any

from guest.kernel.dpm import Hold
from guest.kernel.irq_apic import ApicDomain
from guest.kernel.irq_chip import MsiController
from guest.kernel.irq_core import IrqCore
from guest.kernel.irq_parent import MakeParent
from guest.kernel.kernel import Kernel
from guest.kernel.resource import Resource
from guest.pci_core import assign, driver_core, probe, refs, remove, slot
from guest.pci_core.msi_regs import pci_msi_domain_write_msg
from guest.pci_core.ports import FunctionDriver, PciOps
from guest.pci_core.types import PciBus, PciDev, PciHostBridge, PciSlot, PciState
from protocol.ids import Devfn


class PciSubsystem(PciState):
    """PCI of one kernel; ``irqs`` is that kernel's interrupt core."""

    def __init__(
        self,
        kernel: Kernel,
        nodes: Sequence[int] | None = None,
        irqs: type[IrqCore] = IrqCore,
        parent: MakeParent = ApicDomain,
    ) -> None:
        """``nodes``: CPU mask of each NUMA node; by default one node holds every CPU.

        ``parent`` makes the domain of the architecture's vectors.
        """
        super().__init__(kernel)
        self.irqs = irqs(kernel, pci_msi_domain_write_msg, nodes, parent)

    def lock_rescan_remove(self) -> Coroutine[Any, Any, None]:
        """pci_lock_rescan_remove()."""
        return self.rescan_remove_lock.lock()

    def unlock_rescan_remove(self) -> Coroutine[Any, Any, None]:
        """pci_unlock_rescan_remove()."""
        return self.rescan_remove_lock.unlock()

    def alloc_host_bridge(
        self,
        ops: PciOps,
        domain: int,
        windows: list[Resource],
        sysdata: object,
        msi: MsiController,
        parent: Hold,
    ) -> PciHostBridge:
        """devm_pci_alloc_host_bridge() with what its caller fills in.

        The driver may append ``windows`` and set ``domain_nr`` until the bridge is scanned.
        """
        return PciHostBridge(
            self,
            ops=ops,
            domain_nr=domain,
            windows=windows,
            sysdata=sysdata,
            msi=msi,
            parent=parent,
        )

    def scan_root_bus_bridge(self, bridge: PciHostBridge) -> Coroutine[Any, Any, int]:
        """pci_scan_root_bus_bridge(): 0 or a negative errno; the bus is ``bridge.bus`` then."""
        return probe.pci_scan_root_bus_bridge(bridge)

    def scan_child_bus(self, bus: PciBus) -> Coroutine[Any, Any, None]:
        """pci_scan_child_bus(): the caller holds the rescan/remove lock."""
        return probe.pci_scan_child_bus(bus)

    def bus_assign_resources(self, bus: PciBus) -> Coroutine[Any, Any, None]:
        """pci_bus_assign_resources()."""
        return assign.pci_bus_assign_resources(bus)

    def bus_add_devices(self, bus: PciBus) -> Coroutine[Any, Any, None]:
        """pci_bus_add_devices()."""
        return driver_core.pci_bus_add_devices(bus)

    def stop_root_bus(self, bus: PciBus) -> Coroutine[Any, Any, None]:
        """pci_stop_root_bus()."""
        return remove.pci_stop_root_bus(bus)

    def remove_root_bus(self, bus: PciBus) -> Coroutine[Any, Any, None]:
        """pci_remove_root_bus()."""
        return remove.pci_remove_root_bus(bus)

    async def rescan(self) -> None:
        """A write to /sys/bus/pci/rescan: every root bus is scanned, assigned and added."""
        await self.lock_rescan_remove()
        for bus in list(self.buses.values()):
            await probe.pci_scan_child_bus(bus)
            await assign.pci_bus_assign_resources(bus)
            await driver_core.pci_bus_add_devices(bus)
        await self.unlock_rescan_remove()

    def get_domain_bus_and_slot(self, domain: int, busnr: int, devfn: Devfn) -> PciDev | None:
        """pci_get_domain_bus_and_slot(): with a reference that the caller must drop."""
        dev = self.devices.get((domain, busnr, devfn))
        return refs.pci_dev_get(dev) if dev is not None else None

    def dev_put(self, dev: PciDev | None) -> Coroutine[Any, Any, None]:
        """pci_dev_put()."""
        return refs.pci_dev_put(dev)

    def stop_and_remove_bus_device(self, dev: PciDev) -> Coroutine[Any, Any, None]:
        """pci_stop_and_remove_bus_device(): the caller holds the rescan/remove lock."""
        return remove.pci_stop_and_remove_bus_device(dev)

    def create_slot(
        self, bus: PciBus, slot_nr: int, name: str
    ) -> Coroutine[Any, Any, PciSlot | None]:
        """pci_create_slot(): a new slot, or one more reference to the one of that number."""
        return slot.pci_create_slot(bus, slot_nr, name)

    def destroy_slot(self, slot_: PciSlot) -> Coroutine[Any, Any, None]:
        """pci_destroy_slot(): drop one reference."""
        return slot.pci_destroy_slot(slot_)

    def register_driver(self, driver: FunctionDriver) -> int:
        """pci_register_driver(): offered every device that is added from now on; 0 or -EEXIST.

        Model: devices that are there already are not looked through; bind them.
        """
        if any(known.name == driver.name for known in self.drivers):
            return -EEXIST
        self.drivers.append(driver)
        return 0

    async def bind(self, dev: PciDev, driver_name: str) -> int:
        """A write to the driver's ``bind`` in sysfs: 0, or a negative errno."""
        driver = next(d for d in self.drivers if d.name == driver_name)
        refs.pci_dev_get(dev)
        ret = await driver_core.bind_driver(dev, driver)
        await refs.pci_dev_put(dev)
        return ret

    async def unbind(self, dev: PciDev) -> None:
        """A write to the driver's ``unbind`` in sysfs."""
        refs.pci_dev_get(dev)
        await driver_core.device_release_driver(dev)
        await refs.pci_dev_put(dev)
