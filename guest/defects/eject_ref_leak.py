# SPDX-License-Identifier: MIT
"""Each ejected function stayed allocated: two of its three references were given back.

hv_pci_eject_device() takes a third reference when it queues the work. Until 05f151a73ec2 the work
put only the two of new_pcichild_device().
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Drop
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.eject import Eject


class TwoPuts(Eject):
    """hv_eject_device_work() without its third put_pcichild()."""

    async def put_ejected(self, hpdev: HvPciDev) -> None:
        await self.put_pcichild(hpdev)
        await self.put_pcichild(hpdev)


DEFECT = Defect(
    id="eject-ref-leak",
    subject="PCI: hv: Fix a memory leak in hv_eject_device_work()",
    commit="05f151a73ec2",
    commit_check="verified",
    cls="A",
    fixed="2019-03 / v5.2",
    scenario="eject-idle",
    expect="leak",
    why="Three references are taken and two given back, so no ejected function is ever freed.",
    mixins=(Mixin("driver", TwoPuts),),
    edits=(Drop("hv_eject_device_work", ("put_pcichild",)),),
)
