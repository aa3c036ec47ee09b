# SPDX-License-Identifier: MIT
"""Relations and ejects ran side by side, on the workers that the whole kernel shares.

Both handlers were queued with schedule_work(). The relations work could drop a function while an
eject of it was under way on another worker: both took it off the list, both put it. 021ad274d7dc
gave each bus an ordered queue.
"""

from __future__ import annotations

from guest.defects.eject_before_root_bus import NoStateLock
from guest.defects.record import Defect, Mixin
from guest.kernel.memory import GFP_KERNEL
from guest.kernel.work import WorkQueue
from guest.pci_hyperv.bus import DriverBase, HvPciBus

WORKERS = 4  # more than there are items in any scenario


class ManyWorkers(DriverBase):
    """schedule_work(): an item begins at once, on the CPU that queued it.

    The queue still belongs to the bus, so that it can be drained as 6.12 does; the queue that the
    whole kernel shares could not be.
    """

    async def new_workqueue(self, hbus: HvPciBus) -> WorkQueue | None:
        name = f"hv_pci_{hbus.bridge.domain_nr:x}"
        return await self.kernel.kzalloc(WorkQueue, GFP_KERNEL, self.kernel, name, workers=WORKERS)


DEFECT = Defect(
    id="present-eject-not-serialized",
    subject="PCI: hv: Serialize the present and eject work items",
    commit="021ad274d7dc",
    commit_check="verified",
    cls="A",
    fixed="2018-03 / v4.17",
    scenario="eject-overdue-shared",
    expect="list-corruption",
    why=(
        "A list without the function comes while its eject waits for the driver; both works unlink"
        " it. The state_lock of 2023 would order them too, so it is left out here as it was then."
    ),
    mixins=(Mixin("driver", ManyWorkers), Mixin("driver", NoStateLock)),
)
