# SPDX-License-Identifier: MIT
"""Hibernation: the bus lets go of the host and takes it up again, with the same functions."""

from __future__ import annotations

from errno import EINVAL
from typing import TYPE_CHECKING

from guest.events import FunctionReturned
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.probe import Probe
from guest.pci_hyperv.remove import Remove
from guest.vmbus.channel import INVALID_RELID

if TYPE_CHECKING:
    from guest.pci_core.types import PciDev
    from guest.vmbus.channel import HvDevice


class Power(Probe, Remove):
    """``hv_driver.suspend`` and ``hv_driver.resume``."""

    async def hv_pci_suspend(self, hdev: HvDevice) -> int:
        """Release everything but keep the functions: 0, -EINVAL if not installed, or -errno.

        After a failure the state stays ``removing`` (open item O8).
        """
        hbus = hv_get_drvdata(hdev)
        relid = hbus.relid  # for the event: nobody keeps a rescind from freeing the bus meanwhile
        ret = await self._suspend(hdev, hbus)
        self.kernel.emit(FunctionReturned(relid, "hv_pci_suspend", ret))
        return ret

    async def _suspend(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        if not await self.leave_installed(hdev, hbus):
            return -EINVAL
        await self.wq_of(hbus).flush()
        ret = await self.hv_pci_bus_exit(hdev, keep_devs=True)
        if ret:
            return ret
        await self.vmbus.vmbus_close(hdev.channel)
        return 0

    async def leave_installed(self, hdev: HvDevice, hbus: HvPciBus) -> bool:
        """Bar the callback from queueing work; False, and no change, if the bus is not installed.

        The state is looked at and written while the callback cannot run.
        """
        await hdev.channel.callback_event.disable()
        was_installed = hbus.state is HvPciBusState.INSTALLED
        if was_installed:
            await self.set_bus_state(hbus, HvPciBusState.REMOVING)
        await hdev.channel.callback_event.enable()
        return was_installed

    async def hv_pci_resume(self, hdev: HvDevice) -> int:
        """Open again, with the version of before, and build every interrupt anew: 0 or -errno.

        After a failure the state stays ``init`` and the root bus stays too (open item O8).
        """
        hbus = hv_get_drvdata(hdev)
        self.name_by_channel(hbus)
        relid = hbus.relid
        await self.set_bus_state(hbus, HvPciBusState.INIT)
        ret = await self.open_channel(hbus)
        if not ret:
            ret = await self._resume_open(hdev, hbus)
            if ret:
                await self.vmbus.vmbus_close(hdev.channel)
        self.kernel.emit(FunctionReturned(relid, "hv_pci_resume", ret))
        return ret

    def name_by_channel(self, hbus: HvPciBus) -> None:
        """Events name the bus by its channel, which has another number now; C has no such copies.

        One that was not offered again keeps the number it had.
        """
        if hbus.hdev.channel.relid == INVALID_RELID:
            return
        hbus.relid = hbus.hdev.channel.relid
        for hpdev in hbus.children:
            hpdev.relid = hbus.relid

    async def _resume_open(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        assert hbus.dialect is not None
        ret = await self.hv_pci_protocol_negotiation(hdev, (hbus.dialect,))
        if not ret:
            ret = await self.hv_pci_query_relations(hdev)
        if ret:
            return ret
        await hbus.state_lock.lock()
        ret = await self.hv_pci_enter_d0(hdev)
        if not ret:
            ret = await self.hv_send_resources_allocated(hdev)
        if not ret:
            await self.prepopulate_bars(hbus)
            await self.hv_pci_restore_msi_state(hbus)
            await self.set_bus_state(hbus, HvPciBusState.INSTALLED)
        await hbus.state_lock.unlock()
        return ret

    async def hv_pci_restore_msi_state(self, hbus: HvPciBus) -> None:
        """The PCI core would only write the old messages back; the host has forgotten them."""
        bus = hbus.bridge.bus
        assert bus is not None
        for dev in bus.devices:
            await self.hv_pci_restore_msi_msg(dev)

    async def hv_pci_restore_msi_msg(self, pdev: PciDev) -> None:
        """Compose every interrupt of a device again, if it uses any."""
        if not pdev.msi_enabled and not pdev.msix_enabled:
            return
        await pdev.msi_mutex.lock()
        for entry in pdev.msi_descs.values():
            irq_data = self.pci.irqs.irq_to_desc(entry.irq)
            if irq_data is not None:  # of a multi-MSI block only the first, as in C
                entry.msg = await self.hv_compose_msi_msg(irq_data)
        await pdev.msi_mutex.unlock()
