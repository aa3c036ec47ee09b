# SPDX-License-Identifier: MIT
"""What a bus is made of besides its functions: each part with what gives it back.

Domain number, queue, channel, mapping, interrupt domain. Knows no order: probe and remove do.
"""

from __future__ import annotations

from errno import EINVAL, ENODEV, ENOMEM

from guest.events import DomainChosen, DomainFreed
from guest.kernel.memory import GFP_KERNEL, Allocated
from guest.kernel.sync import SpinLock
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.d0 import D0
from guest.pci_hyperv.domains import HVPCI_DOM_INVALID, DomainMap, requested_domain
from guest.pci_hyperv.interrupts import Interrupts

PCI_RING_BYTES = 0x5000  # VMBUS_RING_SIZE(SZ_16K): 16 KiB of data and the header page
HV_PCI_RQSTOR_SIZE = 64  # requests in flight at once; more than one is rare


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


class Parts(Interrupts, D0):
    """Acquire and release."""

    use_calls: bool
    domains: DomainMap

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
        hbus.bridge.coherent_dma = self.arch.bridge_coherence(self.vmbus)
        self.kernel.emit(DomainChosen(hbus.relid, requested, domain))
        return 0

    async def free_dom(self, hbus: HvPciBus) -> None:
        """Give the domain number back."""
        domain = hbus.bridge.domain_nr
        self.domains.hv_put_dom_num(domain)
        self.kernel.emit(DomainFreed(hbus.relid, domain))

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
        return await self.vmbus.vmbus_open(
            channel, PCI_RING_BYTES, PCI_RING_BYTES, b"", self.hv_pci_onchannelcallback, hbus
        )

    async def close(self, hbus: HvPciBus) -> None:
        """Close the channel."""
        await self.vmbus.vmbus_close(hbus.hdev.channel)

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
