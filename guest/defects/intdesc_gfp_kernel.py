# SPDX-License-Identifier: MIT
"""The record of a mapping was allocated as if sleeping were allowed under interrupt locks.

Until 59c58ceeea9c hv_compose_msi_msg() said GFP_KERNEL.
"""

from __future__ import annotations

from collections.abc import Awaitable

from guest.defects.record import Defect, Mixin
from guest.kernel.memory import GFP_KERNEL
from guest.native.edits.record import Swap
from guest.pci_hyperv.interrupt_requests import IntDesc
from guest.pci_hyperv.interrupts import Interrupts


class SleepingIntDesc(Interrupts):
    """kzalloc(GFP_KERNEL)."""

    def new_int_desc(self) -> Awaitable[IntDesc | None]:
        return self.kernel.kzalloc(IntDesc, GFP_KERNEL)


DEFECT = Defect(
    id="intdesc-gfp-kernel",
    subject="PCI: hv: Allocate interrupt descriptors with GFP_ATOMIC",
    commit="59c58ceeea9c",
    commit_check="verified",
    cls="B",
    fixed="2017-03 / v4.12",
    scenario="arrival",
    expect="sleep-in-atomic",
    why="request_irq() composes with the descriptor locked; an allocation of this kind may sleep.",
    mixins=(Mixin("driver", SleepingIntDesc),),
    edits=(Swap("hv_compose_msi_msg", ("kzalloc", "int_desc"), "GFP_ATOMIC", "GFP_KERNEL"),),
)
