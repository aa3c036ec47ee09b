# SPDX-License-Identifier: MIT
"""Remove: the bus is taken down, by unbinding the driver or because the channel was rescinded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import DriverRemoved
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.parts import Parts

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice


class Remove(Parts):
    """``hv_driver.remove``."""

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
        await self.vmbus.vmbus_close(hdev.channel)
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
