# SPDX-License-Identifier: MIT
"""An ejected function was answered for while it still stood on the bus's list.

The host answers EJECTION_COMPLETE with a list that does not mention the function any more. The
relations work, on another worker, found it missing and deleted it; then the eject work deleted it
again. e74d2ebdda33 takes it off the list before the answer.
"""

from __future__ import annotations

from guest.defects.eject_before_root_bus import NoStateLock
from guest.defects.present_eject_not_serialized import ManyWorkers
from guest.defects.record import Defect, Mixin
from guest.kernel.work import Work
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.eject import Eject


class UnlinkAfterComplete(Eject):
    """hv_eject_device_work() with list_del() behind the answer instead of before it."""

    async def hv_eject_device_work(self, work: Work) -> None:
        hpdev = work.owner
        assert isinstance(hpdev, HvPciDev)
        hbus = hpdev.hbus
        await hbus.state_lock.lock()
        await self.remove_ejected_pci_dev(hbus, hpdev)
        await self.send_ejection_complete(hbus, hpdev)
        await self.unlink_ejected(hbus, hpdev)
        await self.destroy_child_slot(hpdev)
        await self.put_ejected(hpdev)
        await hbus.state_lock.unlock()


DEFECT = Defect(
    id="eject-lists-late-delete",
    subject="PCI: hv: Delete the device earlier from hbus->children for hot-remove",
    commit="e74d2ebdda33",
    commit_check="verified",
    cls="A",
    fixed="2016-11 / v4.10",
    scenario="eject-unbound",
    expect="list-corruption",
    why=(
        "The list that follows the answer finds the function still linked, and both works unlink"
        " it. Needs works that are not ordered and no state_lock, as it was then."
    ),
    mixins=(
        Mixin("driver", UnlinkAfterComplete),
        Mixin("driver", ManyWorkers),
        Mixin("driver", NoStateLock),
    ),
)
