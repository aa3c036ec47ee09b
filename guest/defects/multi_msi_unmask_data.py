# SPDX-License-Identifier: MIT
"""Every vector of a multi-MSI block was retargeted under the name of the first.

The hypervisor knows an interrupt by its message's address and data. Until 455880dfe292
hv_arch_irq_unmask() took them from the descriptor, which holds the first vector's message.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.native.edits.record import Swap
from guest.pci_core.types import irq_data_get_msi_desc
from guest.pci_hyperv.interrupts import Interrupts


class DescriptorsMessage(Interrupts):
    """hv_set_msi_entry_from_desc()."""

    def msi_entry(self, data: IrqData) -> tuple[int, int]:
        msg = irq_data_get_msi_desc(data).msg
        return msg.address_lo, msg.data


DEFECT = Defect(
    id="multi-msi-unmask-data",
    subject="PCI: hv: Fix hv_arch_irq_unmask() for multi-MSI",
    commit="455880dfe292",
    commit_check="verified",
    cls="B",
    fixed="2022-04 / v5.19",
    scenario="multi-msi",
    expect="lost-interrupt",
    why="Only the first entry of the block is ever aimed, last of all at the last vector; the"
    " others keep their dummy targets.",
    mixins=(Mixin("driver", DescriptorsMessage),),
    edits=(Swap("hv_arch_irq_unmask", ("as_uint32", "data"), "int_desc", "(&msi_desc->msg)"),),
)
