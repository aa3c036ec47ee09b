# SPDX-License-Identifier: MIT
"""Eject: the host asks for one function back. Knows one function at a time.

The host is said to wait 60 s for EJECTION_COMPLETE and to force the removal then.
"""

from __future__ import annotations

from guest.events import ChildRemoved, EjectCompleted, EjectQueued, MessageIgnored
from guest.kernel import ops
from guest.kernel.work import Work
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.messages import ejection_complete
from guest.pci_hyperv.root_bus import RootBus


class Eject(RootBus):
    """From the EJECT packet to EJECTION_COMPLETE."""

    async def hv_pci_eject_device(self, hpdev: HvPciDev) -> None:
        """Queue the eject of a function; the callback itself must not sleep.

        A second EJECT before the work has run initialises the queued item again (open item O3).
        """
        hbus = hpdev.hbus
        await ops.point(self.kernel, "hbus.state")
        if hbus.state is HvPciBusState.REMOVING:
            self.kernel.log("info", "PCI VMBus EJECT: ignored")
            self.kernel.emit(MessageIgnored(hbus.relid, "EJECT"))
            return
        self.get_pcichild(hpdev)
        work = self.init_eject_work(hpdev)
        self.kernel.emit(EjectQueued(hbus.relid, hpdev.desc.win_slot))
        await self.queue_work(hbus, work)

    def init_eject_work(self, hpdev: HvPciDev) -> Work:
        """INIT_WORK on the item embedded in the function."""
        if hpdev.wrk is None:
            hpdev.wrk = Work("hv_eject_device_work", self.hv_eject_device_work, hpdev)
        else:
            hpdev.wrk.init(self.hv_eject_device_work)
        return hpdev.wrk

    async def hv_eject_device_work(self, work: Work) -> None:
        """Work item: remove the PCI device, unlink the function, answer the host, let it go."""
        hpdev = work.owner
        assert isinstance(hpdev, HvPciDev)
        hbus = hpdev.hbus  # after the last put below, hpdev must not be read
        await hbus.state_lock.lock()
        await self.remove_ejected_pci_dev(hbus, hpdev)
        await self.unlink_ejected(hbus, hpdev)
        await self.destroy_child_slot(hpdev)
        await self.send_ejection_complete(hbus, hpdev)
        await self.put_ejected(hpdev)
        await hbus.state_lock.unlock()

    async def remove_ejected_pci_dev(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        """Stop and remove the PCI device; there is none if the bus does not exist yet.

        Looked up by domain number, because before the first scan the bridge has no bus.
        """
        devfn = self.wslot_to_devfn(hpdev.desc.win_slot)
        pdev = self.pci.get_domain_bus_and_slot(hbus.bridge.domain_nr, 0, devfn)
        if pdev is None:
            return
        await self.pci_lock_rescan_remove()
        await self.pci.stop_and_remove_bus_device(pdev)
        await self.pci.dev_put(pdev)
        await self.pci_unlock_rescan_remove()

    async def unlink_ejected(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        """Off the list before the host hears of it: its next relations list must not find it."""
        await hbus.device_list_lock.lock_irqsave()
        hbus.children.delete(hpdev)
        await hbus.device_list_lock.unlock_irqrestore()
        desc = hpdev.desc
        self.kernel.emit(ChildRemoved(hbus.relid, desc.win_slot, desc.ser, "eject"))

    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        """Tell the host; a full ring loses the message (open item O14)."""
        wslot = hpdev.desc.win_slot
        errno = await self.send_message(hbus.hdev.channel, ejection_complete(wslot))
        self.kernel.emit(EjectCompleted(hbus.relid, wslot, errno))

    async def put_ejected(self, hpdev: HvPciDev) -> None:
        """The reference of hv_pci_eject_device() and the two of new_pcichild_device()."""
        await self.put_pcichild(hpdev)
        await self.put_pcichild(hpdev)
        await self.put_pcichild(hpdev)
