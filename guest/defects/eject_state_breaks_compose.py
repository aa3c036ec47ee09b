# SPDX-License-Identifier: MIT
"""An interrupt was not composed because its function was being ejected, and unmasked all the same.

The loop that polls for the host's answer left when it saw the function's state, which the callback
sets when EJECT arrives: chip_data stayed NULL, and request_irq() went on to hv_irq_unmask(). Until
its answer the device is assigned, so 2738d5ab7929 polls on, and hv_irq_unmask() looks first.
"""

from __future__ import annotations

from typing import Final

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.native.edits.record import Force, Swap
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupts import Interrupts


class ComposeGivesUp(Interrupts):
    """hv_compose_msi_msg() that looks at the function's state.

    6.12 has no such state; that the eject's work item was initialised says the same.
    """

    async def has_gone(self, hpdev: HvPciDev) -> bool:
        return hpdev.wrk is not None or await super().has_gone(hpdev)


class UnmaskNeverLooks(Interrupts):
    """hv_irq_unmask() of whatever there is."""

    def has_mapping(self, data: IrqData) -> bool:
        return True


GIVES_UP: Final = Swap(
    "hv_compose_msi_msg",
    ("hv_pcifront_get_vendor_id",),
    "hv_pcifront_get_vendor_id",
    "hpdev->wrk.func || hv_pcifront_get_vendor_id",
)

DEFECT = Defect(
    id="eject-state-breaks-compose",
    subject="PCI: hv: Fix a race condition in hv_irq_unmask() that can cause panic",
    commit="2738d5ab7929",
    commit_check="verified",
    cls="A",
    fixed="2023-06 / v6.4",
    scenario="eject-during-probe",
    expect="null-dereference",
    why="EJECT arrives while a vector is being composed, which is then unmasked without a mapping.",
    mixins=(Mixin("driver", ComposeGivesUp), Mixin("driver", UnmaskNeverLooks)),
    edits=(GIVES_UP, Force("hv_arch_irq_unmask", ("int_desc",))),
    bred_by="compose-hang-tasklet-starved",
)
