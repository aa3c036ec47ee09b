# SPDX-License-Identifier: MIT
"""Children were removed, and their slots destroyed, under a spinlock.

94d22763207a had made hv_pci_bus_exit() remove them itself, under ``device_list_lock``;
pci_destroy_slot() takes a mutex. 41608b64b10b moves them to a list on the stack first.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.defects.slots_not_removed_on_unload import SlotsStay
from guest.events import ChildRemoved
from guest.native.edits.record import Drop, Move
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.d0 import D0


class RemovedUnderLock(D0):
    """hv_pci_bus_exit() that lets the children go where it finds them."""

    async def remove_children(self, hbus: HvPciBus) -> None:
        await hbus.device_list_lock.lock_irqsave()
        for hpdev in hbus.children.safe():
            hbus.children.delete(hpdev)
            desc = hpdev.desc
            self.kernel.emit(ChildRemoved(hbus.relid, desc.win_slot, desc.ser, "bus-exit"))
            await self.destroy_child_slot(hpdev)
            await self.put_pcichild(hpdev)
            await self.put_pcichild(hpdev)
        await hbus.device_list_lock.unlock_irqrestore()


DEFECT = Defect(
    id="bus-exit-sleeps-under-spinlock",
    subject=(
        "PCI: hv: Fix sleep while in non-sleep context when removing child devices from the bus"
    ),
    commit="41608b64b10b",
    commit_check="verified",
    cls="A",
    fixed="2021-08 / v5.15",
    scenario="unload",
    expect="sleep-in-atomic",
    why=(
        "A mutex is taken under device_list_lock. By itself it stays hidden wherever"
        " hv_pci_remove_slots() has run before, that is until suspend can fail (open item O8):"
        " so that call is left out as well."
    ),
    mixins=(Mixin("driver", RemovedUnderLock), Mixin("driver", SlotsStay)),
    bred_by="remove-vs-pending-work",
    edits=(
        Drop("hv_pci_remove", ("hv_pci_remove_slots",)),
        Move("hv_pci_bus_exit", ("spin_lock_irqsave",), behind=("list_del",)),
        Move("hv_pci_bus_exit", ("spin_unlock_irqrestore",), behind=("put_pcichild",)),
    ),
)
