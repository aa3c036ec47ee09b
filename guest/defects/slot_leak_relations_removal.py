# SPDX-License-Identifier: MIT
"""A function that vanished from the list left its slot behind.

Only ejects destroyed slots. A function that the host simply stops to mention is freed by the
relations work, and then nobody can find its slot. 340d45569940 destroys it there, too.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.events import ChildRemoved
from guest.kernel.lists import ListHead
from guest.native.edits.record import Force
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.relations import Relations


class SlotForgotten(Relations):
    """pci_devices_present_work() without pci_destroy_slot()."""

    async def delete_missing(self, removed: ListHead[HvPciDev]) -> None:
        while not removed.empty():
            hpdev = removed.first()
            removed.delete(hpdev)
            desc = hpdev.desc
            self.kernel.emit(ChildRemoved(hpdev.relid, desc.win_slot, desc.ser, "relations"))
            await self.put_pcichild(hpdev)


DEFECT = Defect(
    id="slot-leak-relations-removal",
    subject="PCI: hv: Add pci_destroy_slot() in pci_devices_present_work(), if necessary",
    commit="340d45569940",
    commit_check="verified",
    cls="A",
    fixed="2019-03 / v5.2",
    scenario="relations-shrink",
    expect="leak",
    why="The function is freed and its slot stays in sysfs, with nobody left to destroy it.",
    mixins=(Mixin("driver", SlotForgotten),),
    edits=(Force("pci_devices_present_work", ("pci_slot",)),),
)
