# SPDX-License-Identifier: MIT
"""An interrupt was aimed at all CPUs that it might use, and not at the one that has its vector.

Until 79aa801e8994 the mask that had been asked for was sent to the host. A vector belongs to one
CPU, and the host may pick any of those it is given.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.native.edits.record import Swap
from guest.pci_hyperv.interrupts import Interrupts


class RequestedMask(Interrupts):
    """irq_data_get_affinity_mask()."""

    def affinity_of(self, data: IrqData) -> int:
        return data.affinity


DEFECT = Defect(
    id="affinity-mask-not-effective",
    subject="PCI: hv: Use effective affinity mask",
    commit="79aa801e8994",
    commit_check="verified",
    cls="B",
    fixed="2017-11 / v4.15",
    scenario="config-blocks",
    expect="lost-interrupt",
    why="The vectors of a NIC may go anywhere: the host sends the second to the first CPU, which"
    " has no such vector.",
    mixins=(Mixin("driver", RequestedMask),),
    edits=(
        Swap(
            "hv_arch_irq_unmask",
            ("dest",),
            "irq_data_get_effective_affinity_mask",
            "irq_data_get_affinity_mask",
        ),
    ),
)
