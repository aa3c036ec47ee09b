# SPDX-License-Identifier: MIT
"""Probe and remove: the life of a bus, and how much of it is undone when a step fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EINVAL, ENODEV, ENOMEM
from typing import TYPE_CHECKING, TypeAlias

from guest.events import DomainChosen, DriverRemoved, FunctionReturned
from guest.kernel.memory import GFP_KERNEL, Allocated
from guest.kernel.sync import SpinLock
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.config import HvPcifrontOps
from guest.pci_hyperv.d0 import D0
from guest.pci_hyperv.domains import HVPCI_DOM_INVALID, DomainMap, requested_domain
from guest.pci_hyperv.interrupts import HvMsiChip, Interrupts
from guest.pci_hyperv.negotiation import Negotiation
from guest.vmbus.open import vmbus_close, vmbus_open

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guest.vmbus.channel import HvDevice
    from protocol.versions import Dialect

PCI_RING_BYTES = 0x5000  # VMBUS_RING_SIZE(SZ_16K): 16 KiB of data and the header page
HV_PCI_RQSTOR_SIZE = 64  # requests in flight at once; more than one is rare

Step: TypeAlias = Callable[[HvPciBus], Awaitable[int]]
Undo: TypeAlias = Callable[[HvPciBus], Awaitable[object]]


class FwNode(Allocated):
    """The named firmware node of the bus's interrupt domain."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class IrqDomain(Allocated):
    """The bus's MSI interrupt domain; what it does is in ``Interrupts``."""

    __slots__ = ("fwnode",)

    def __init__(self, fwnode: FwNode | None) -> None:
        self.fwnode = fwnode


class Probe(Negotiation, Interrupts, D0):
    """``hv_driver.probe`` and ``hv_driver.remove``."""

    versions: Sequence[Dialect]
    use_calls: bool
    domains: DomainMap
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
        bridge = self.pci.alloc_host_bridge(self.pci_ops, 0, [], None, self.msi_chip)
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
                return ret
            if undo is not None:
                done.append(undo)
        await hbus.state_lock.unlock()
        return 0

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

    async def free_bus(self, hbus: HvPciBus) -> None:
        """kfree() of the bus."""
        await self.kernel.kfree(hbus)

    async def choose_domain(self, hbus: HvPciBus) -> int:
        """Take the PCI domain that the instance id asks for, or a free one."""
        requested = requested_domain(hbus.hdev.dev_instance)
        domain = self.domains.hv_get_dom_num(requested)
        if domain == HVPCI_DOM_INVALID:
            self.kernel.log("err", f"unable to use dom# {requested:#x} or other numbers")
            return -EINVAL
        if domain != requested:
            self.kernel.log("info", f"dom# {requested:#x} has collision, using {domain:#x}")
        hbus.bridge.domain_nr = domain
        hbus.use_calls = self.use_calls
        self.kernel.emit(DomainChosen(hbus.relid, requested, domain))
        return 0

    async def free_dom(self, hbus: HvPciBus) -> None:
        """Give the domain number back."""
        self.domains.hv_put_dom_num(hbus.bridge.domain_nr)

    async def create_queue(self, hbus: HvPciBus) -> int:
        """The bus's locks and its work queue."""
        hbus.config_lock = SpinLock(self.kernel, "config_lock", fine=True)
        hbus.device_list_lock = SpinLock(self.kernel, "device_list_lock")
        hbus.wq = await self.new_workqueue(hbus)
        return -ENOMEM if hbus.wq is None else 0

    async def destroy_wq(self, hbus: HvPciBus) -> None:
        """Drain the queue, then free it."""
        await self.wq_of(hbus).destroy()

    async def open_channel(self, hbus: HvPciBus) -> int:
        """Open the rings; from here on the callback may run."""
        channel = hbus.hdev.channel
        channel.requestor_size = HV_PCI_RQSTOR_SIZE
        return await vmbus_open(
            channel, PCI_RING_BYTES, PCI_RING_BYTES, b"", self.hv_pci_onchannelcallback, hbus
        )

    async def close(self, hbus: HvPciBus) -> None:
        """Close the channel."""
        await vmbus_close(hbus.hdev.channel)

    async def negotiate(self, hbus: HvPciBus) -> int:
        """Agree on a version."""
        hbus.hdev.drvdata = hbus
        return await self.hv_pci_protocol_negotiation(hbus.hdev, self.versions)

    async def map_config_window(self, hbus: HvPciBus) -> int:
        """ioremap(). Model: a mapping is the guest physical address itself and never fails."""
        assert hbus.mem_config is not None
        hbus.cfg_addr = hbus.mem_config.start
        return 0

    async def unmap(self, hbus: HvPciBus) -> None:
        """iounmap()."""
        hbus.cfg_addr = 0

    async def create_fwnode(self, hbus: HvPciBus) -> int:
        """A firmware node named after the instance id."""
        hbus.fwnode = await self.kernel.kzalloc(FwNode, GFP_KERNEL, hbus.hdev.name)
        return -ENOMEM if hbus.fwnode is None else 0

    async def free_fwnode(self, hbus: HvPciBus) -> None:
        """irq_domain_free_fwnode()."""
        await self.kernel.kfree(hbus.fwnode)

    async def hv_pcie_init_irq_domain(self, hbus: HvPciBus) -> int:
        """The MSI domain that the bus's devices take interrupts from."""
        hbus.irq_domain = await self.kernel.kzalloc(IrqDomain, GFP_KERNEL, hbus.fwnode)
        if hbus.irq_domain is None:
            self.kernel.log("err", "failed to build an MSI IRQ domain")
            return -ENODEV
        return 0

    async def free_irq_domain(self, hbus: HvPciBus) -> None:
        """irq_domain_remove()."""
        await self.kernel.kfree(hbus.irq_domain)

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

    async def hv_pci_remove(self, hdev: HvDevice) -> None:
        """Take the bus down: unbind, rescind or unload. There is no way to fail.

        A bus that is not installed keeps its root bus and its queue (open item O8).
        """
        hbus = hv_get_drvdata(hdev)
        relid = hbus.relid
        if hbus.state is HvPciBusState.INSTALLED:
            await self.stop_workers(hdev, hbus)
            await self.remove_root_bus(hbus)
        await self.hv_pci_bus_exit(hdev, keep_devs=False)
        await vmbus_close(hdev.channel)
        await self.unmap(hbus)
        await self.hv_free_config_window(hbus)
        await self.hv_pci_free_bridge_windows(hbus)
        await self.free_irq_domain(hbus)
        await self.free_fwnode(hbus)
        await self.free_dom(hbus)
        await self.free_bus(hbus)
        self.kernel.emit(DriverRemoved(relid))

    async def stop_workers(self, hdev: HvDevice, hbus: HvPciBus) -> None:
        """Bar the callback from queueing work, then wait for what is queued."""
        await self.forbid_new_work(hdev, hbus)
        await self.wq_of(hbus).destroy()
        hbus.wq = None

    async def forbid_new_work(self, hdev: HvDevice, hbus: HvPciBus) -> None:
        """With the tasklet disabled the callback cannot be between its look and its queueing.

        Unless it was called by hv_compose_msi_msg() and not by the tasklet (open item O6).
        """
        await hdev.channel.callback_event.disable()
        await self.set_bus_state(hbus, HvPciBusState.REMOVING)
        await hdev.channel.callback_event.enable()
