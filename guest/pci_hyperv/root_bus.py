# SPDX-License-Identifier: MIT
"""The root PCI bus as Linux sees it: scan, slots, NUMA nodes. Knows no message to the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import ChildSlotCreated, ChildSlotDestroyed, RootBusRemovalBegan
from guest.kernel.faults import NullDereference
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.pci_hyperv.device import Device, HvPciDev, HvPciDevDescription
from protocol.vpci import DEVICE_FLAG_NUMA_AFFINITY

if TYPE_CHECKING:
    from guest.pci_core.types import PciBus, PciSlot

DEFAULT_NUMA_NODE = 0  # without a hint the kernel would spread work over all nodes
SLOT_NAME_SIZE = 11  # a 32-bit serial number in decimal, and its terminating zero


class RootBus(Device):
    """From children to PCI devices, slots and nodes."""

    async def create_root_hv_pci_bus(self, hbus: HvPciBus) -> int:
        """Scan the bus and bind drivers; 0 or -errno. The caller holds ``state_lock``."""
        error = await self.pci.scan_root_bus_bridge(hbus.bridge)
        if error:
            return error
        await self.pci_lock_rescan_remove()
        await self.hv_pci_assign_numa_node(hbus)
        await self.pci.bus_assign_resources(self.root_bus_of(hbus))
        await self.hv_pci_assign_slots(hbus)
        await self.pci.bus_add_devices(self.root_bus_of(hbus))
        await self.pci_unlock_rescan_remove()
        await self.set_bus_state(hbus, HvPciBusState.INSTALLED)
        return 0

    def root_bus_of(self, hbus: HvPciBus) -> PciBus:
        """``hbus->bridge->bus``; there is one once the bridge was scanned."""
        if hbus.bridge.bus is None:
            raise NullDereference("hbus->bridge->bus is NULL")
        return hbus.bridge.bus

    async def remove_root_bus(self, hbus: HvPciBus) -> None:
        """Stop the functions' drivers, then slots, then the bus: slots refer to the bus."""
        bus = self.root_bus_of(hbus)
        self.kernel.emit(RootBusRemovalBegan(hbus.relid))
        await self.pci_lock_rescan_remove()
        await self.pci.stop_root_bus(bus)
        await self.hv_pci_remove_slots(hbus)
        await self.pci.remove_root_bus(bus)
        await self.pci_unlock_rescan_remove()

    async def rescan_root_bus(self, hbus: HvPciBus) -> None:
        """Look for functions that came later; they get no resources and no driver."""
        await self.pci_lock_rescan_remove()
        await self.pci.scan_child_bus(self.root_bus_of(hbus))
        await self.hv_pci_assign_numa_node(hbus)
        await self.hv_pci_assign_slots(hbus)
        await self.pci_unlock_rescan_remove()

    async def hv_pci_assign_slots(self, hbus: HvPciBus) -> None:
        """Register a slot, named by serial number, for each function that has none.

        Walks the children unlocked: only works of one ordered queue change them, or probe's caller
        holds ``state_lock``.
        """
        bus = self.root_bus_of(hbus)
        for hpdev in hbus.children:
            if hpdev.pci_slot is not None:
                continue
            slot_nr = self.wslot_to_devfn(hpdev.desc.win_slot) >> 3
            name = str(hpdev.desc.ser)[: SLOT_NAME_SIZE - 1]
            slot: PciSlot | None = await self.pci.create_slot(bus, slot_nr, name)
            if slot is None:
                self.kernel.log("warn", f"pci_create slot {name} failed")
            else:
                self.kernel.emit(ChildSlotCreated(hbus.relid, hpdev.desc.win_slot, name))
            hpdev.pci_slot = slot

    async def hv_pci_remove_slots(self, hbus: HvPciBus) -> None:
        """Give up the slots of all children; they refer to the bus and must go before it."""
        for hpdev in hbus.children:
            await self.destroy_child_slot(hpdev)
            hpdev.pci_slot = None

    async def destroy_child_slot(self, hpdev: HvPciDev) -> None:
        """Give up a function's slot, if it has one. May sleep."""
        slot = hpdev.pci_slot
        if slot is not None:
            await self.pci.destroy_slot(slot)
            self.kernel.emit(ChildSlotDestroyed(hpdev.relid, hpdev.desc.win_slot))

    async def hv_pci_assign_numa_node(self, hbus: HvPciBus) -> None:
        """Put every PCI device of the bus on the node that the host named, or on node 0."""
        for dev in self.root_bus_of(hbus).devices:
            hv_dev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(dev.devfn))
            if hv_dev is None:
                continue
            dev.numa_node = self.numa_node_of(hv_dev.desc)
            await self.put_pcichild(hv_dev)

    def numa_node_of(self, desc: HvPciDevDescription) -> int:
        """The node that the host named, mapped to one that is online; or the default."""
        node, numa = desc.virtual_numa_node, self.kernel.numa
        if desc.flags & DEVICE_FLAG_NUMA_AFFINITY and node < numa.possible:
            return numa.map_to_online_node(node)
        return DEFAULT_NUMA_NODE
