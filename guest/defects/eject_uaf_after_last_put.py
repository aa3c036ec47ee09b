# SPDX-License-Identifier: MIT
"""The eject work read the function's bus after it had given back the last reference.

Harmless while one reference was leaked. With the third put of 05f151a73ec2 the function was freed,
and put_hvpcibus(hpdev->hbus) came after it. 4df591b20b80 reads the pointer at the beginning.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.work import Work
from guest.native.edits.record import Swap
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.eject import Eject


class BusReadAfterPut(Eject):
    """hv_eject_device_work() that goes through hpdev->hbus to the very end.

    6.12 counts no references to its bus; unlocking stands for that put.
    """

    async def hv_eject_device_work(self, work: Work) -> None:
        hpdev = work.owner
        assert isinstance(hpdev, HvPciDev)
        await hpdev.hbus.state_lock.lock()
        await self.remove_ejected_pci_dev(hpdev.hbus, hpdev)
        await self.unlink_ejected(hpdev.hbus, hpdev)
        await self.destroy_child_slot(hpdev)
        await self.send_ejection_complete(hpdev.hbus, hpdev)
        await self.put_ejected(hpdev)
        await hpdev.hbus.state_lock.unlock()


DEFECT = Defect(
    id="eject-uaf-after-last-put",
    subject="PCI: hv: Fix a use-after-free bug in hv_eject_device_work()",
    commit="4df591b20b80",
    commit_check="verified",
    cls="A",
    fixed="2019-06 / v5.3",
    scenario="eject-idle",
    expect="use-after-free",
    why="hpdev->hbus is read after the put that frees hpdev; every eject does it.",
    mixins=(Mixin("driver", BusReadAfterPut),),
    bred_by="eject-ref-leak",
    edits=(Swap("hv_eject_device_work", ("mutex_unlock", "state_lock"), "hbus", "hpdev->hbus"),),
)
