# SPDX-License-Identifier: MIT
"""At version 1.1 the guest named each CPU that an interrupt might use, up to 64 of them.

A host takes no more than 32 unless it is told "all". 433fcf6b7b31 says so from 32 CPUs on; since
then the mask is never made of single CPUs.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.irq import IrqData
from guest.pci_hyperv.interrupts import Interrupts


class NamesThemAll(Interrupts):
    """The mask that was asked for, as VP numbers."""

    def processor_mask(self, data: IrqData) -> int:
        cpus = self.online_cpus(data.affinity)
        return sum(1 << self.kernel.cpus[cpu].vp for cpu in cpus)


DEFECT = Defect(
    id="affinity-32-cpus",
    subject="PCI: hv: Specify CPU_AFFINITY_ALL for MSI affinity when >= 32 CPUs",
    commit="433fcf6b7b31",
    commit_check="verified",
    cls="B",
    fixed="2017-03 / v4.12",
    scenario="many-vcpus",
    expect="lost-interrupt",
    why="With more than 32 vCPUs the host refuses the request, and the interrupt has no mapping.",
    mixins=(Mixin("driver", NamesThemAll),),
    protocol=("1.1",),
)
