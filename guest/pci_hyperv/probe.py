# SPDX-License-Identifier: MIT
"""Probe: a bus comes up step by step, and what was done is undone when a step fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import ENOMEM
from typing import TYPE_CHECKING, TypeAlias

from guest.events import FunctionReturned
from guest.kernel.memory import GFP_KERNEL
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.pci_hyperv.config import HvPcifrontOps
from guest.pci_hyperv.interrupts import HvMsiChip
from guest.pci_hyperv.negotiation import Negotiation
from guest.pci_hyperv.parts import Parts
from guest.vmbus.driver_core import device_hold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guest.pci_core.types import PciHostBridge
    from guest.vmbus.channel import HvDevice
    from protocol.versions import Dialect

Step: TypeAlias = Callable[[HvPciBus], Awaitable[int]]
Undo: TypeAlias = Callable[[HvPciBus], Awaitable[object]]


class Probe(Negotiation, Parts):
    """``hv_driver.probe``."""

    versions: Sequence[Dialect]
    pci_ops: HvPcifrontOps
    msi_chip: HvMsiChip

    async def hv_pci_probe(self, hdev: HvDevice) -> int:
        """Bring a new bus up: 0, or -errno with everything undone.

        Undone is what :meth:`probe_steps` says. Functions that were created stay allocated, and
        the channel is closed before the queue is drained (open item O7).
        """
        ret = await self._probe(hdev)
        self.kernel.emit(FunctionReturned(hdev.channel.relid, "hv_pci_probe", ret))
        return ret

    async def _probe(self, hdev: HvDevice) -> int:
        # The bridge belongs to the VMBus device and goes with it, on failure too.
        hold = device_hold(hdev)
        bridge = self.pci.alloc_host_bridge(self.pci_ops, 0, [], None, self.msi_chip, hold)
        hbus = await self.kernel.kzalloc(HvPciBus, GFP_KERNEL, hdev, bridge, self.new_state_lock())
        if hbus is None:
            return -ENOMEM
        bridge.sysdata = hbus
        done: list[Undo] = [self.free_bus]
        for step, undo in self.probe_steps():
            ret = await step(hbus)
            if ret:
                for undo_step in reversed(done):
                    await undo_step(hbus)
                await self.release_bridge(bridge)
                return ret
            if undo is not None:
                done.append(undo)
        await hbus.state_lock.unlock()
        return 0

    async def release_bridge(self, bridge: PciHostBridge) -> None:
        """devres lets go of the bridge; the PCI core of 6.12 holds no domain number for it."""

    def probe_steps(self) -> tuple[tuple[Step, Undo | None], ...]:
        """Each step of probe and what undoes it when a later one fails, latest first."""
        return (
            (self.choose_domain, self.free_dom),
            (self.create_queue, self.destroy_wq),
            (self.open_channel, self.close),
            (self.negotiate, None),
            (self.hv_allocate_config_window, self.hv_free_config_window),
            (self.map_config_window, self.unmap),
            (self.create_fwnode, self.free_fwnode),
            (self.hv_pcie_init_irq_domain, self.free_irq_domain),
            (self.query_relations, None),
            (self.take_state_lock, self.release_state_lock),
            (self.enter_d0, self.exit_d0),
            (self.hv_pci_allocate_bridge_windows, self.hv_pci_free_bridge_windows),
            (self.assign_resources, None),
            (self.install, None),
        )

    async def negotiate(self, hbus: HvPciBus) -> int:
        """Agree on a version."""
        hbus.hdev.drvdata = hbus
        return await self.hv_pci_protocol_negotiation(hbus.hdev, self.versions)

    async def query_relations(self, hbus: HvPciBus) -> int:
        """Learn of the functions."""
        return await self.hv_pci_query_relations(hbus.hdev)

    async def take_state_lock(self, hbus: HvPciBus) -> int:
        """From here the works wait until the bus is installed or undone."""
        await hbus.state_lock.lock()
        return 0

    async def release_state_lock(self, hbus: HvPciBus) -> None:
        """Let the works go on."""
        await hbus.state_lock.unlock()

    async def enter_d0(self, hbus: HvPciBus) -> int:
        """Power the bus."""
        return await self.hv_pci_enter_d0(hbus.hdev)

    async def exit_d0(self, hbus: HvPciBus) -> int:
        """Unpower the bus, keeping the functions."""
        return await self.hv_pci_bus_exit(hbus.hdev, keep_devs=True)

    async def assign_resources(self, hbus: HvPciBus) -> int:
        """Move the host's state machine on."""
        return await self.hv_send_resources_allocated(hbus.hdev)

    async def install(self, hbus: HvPciBus) -> int:
        """Show the bus to the PCI core."""
        await self.prepopulate_bars(hbus)
        await self.set_bus_state(hbus, HvPciBusState.PROBED)
        return await self.create_root_hv_pci_bus(hbus)
