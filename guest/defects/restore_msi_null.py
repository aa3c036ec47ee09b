# SPDX-License-Identifier: MIT
"""Resuming looked for the interrupts of every device, also of one that never had any.

The list of descriptors comes with the first vectors and goes with the driver, so that a device that
nobody drives has none to lock. Since 04bbe863241a such a device is passed over.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.faults import NullDereference
from guest.native.edits.record import Force
from guest.pci_core.types import PciDev
from guest.pci_hyperv.power import Power


class NoneLeftOut(Power):
    """hv_pci_restore_msi_msg() without its first question."""

    async def hv_pci_restore_msi_msg(self, pdev: PciDev) -> None:
        if pdev.driver is None:
            raise NullDereference(f"dev->msi.data of {pdev.name} is NULL")
        await super().hv_pci_restore_msi_msg(pdev)


DEFECT = Defect(
    id="restore-msi-null",
    subject="PCI: hv: Fix a crash in hv_pci_restore_msi_msg() during hibernation",
    commit="04bbe863241a",
    commit_check="verified",
    cls="C",
    fixed="2023-08 / v6.6",
    scenario="hibernate-unbound",
    expect="null-dereference",
    why="Nobody drives the device when the bus resumes, and it is asked for its interrupts.",
    mixins=(Mixin("driver", NoneLeftOut),),
    edits=(Force("hv_pci_restore_msi_msg", ("msi_enabled",)),),
)
