# SPDX-License-Identifier: MIT
"""Removing the bus did not wait for the work that was queued, nor bar more of it.

The queue was destroyed last, after root bus, channel and interrupt domain had gone, so that an
eject or a list which came just before a rescind ran on what was left. 94d22763207a shuts the
callback out, marks the bus and drains the queue before anything is taken down.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.events import DriverRemoved
from guest.pci_hyperv.bus import HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.remove import Remove
from guest.vmbus.channel import HvDevice


class DrainedLast(Remove):
    """hv_pci_remove(): the state is written after the root bus has gone, the queue goes last."""

    async def hv_pci_remove(self, hdev: HvDevice) -> None:
        hbus = hv_get_drvdata(hdev)
        relid = hbus.relid
        if hbus.state is HvPciBusState.INSTALLED:
            await self.remove_root_bus(hbus)
            await self.set_bus_state(hbus, HvPciBusState.REMOVING)
        await self.hv_pci_bus_exit(hdev, keep_devs=False)
        await self.close(hbus)
        await self.unmap(hbus)
        await self.hv_free_config_window(hbus)
        await self.hv_pci_free_bridge_windows(hbus)
        await self.free_irq_domain(hbus)
        await self.free_fwnode(hbus)
        await self.destroy_wq(hbus)
        await self.free_dom(hbus)
        await self.free_bus(hbus)
        self.kernel.emit(DriverRemoved(relid))


DEFECT = Defect(
    id="remove-vs-pending-work",
    subject="PCI: hv: Fix a race condition when removing the device",
    commit="94d22763207a",
    commit_check="verified",
    cls="A",
    fixed="2021-05 / v5.14",
    scenario="rescind-during-eject",
    expect="use-after-free",
    why="The queued work and the removal take the same slots, functions and channel apart.",
    mixins=(Mixin("driver", DrainedLast),),
    why_model_only=(
        "In the real driver the same orders end in a list that is corrupted, before freed memory is"
        " used."
    ),
)
