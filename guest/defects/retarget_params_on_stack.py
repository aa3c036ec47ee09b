# SPDX-License-Identifier: MIT
"""The parameters of the retarget hypercall lay where they could not stay.

First they lay on the stack, where they may cross a page. 0de8ce3ee8e3 moves them to a buffer of the
bus, and with it comes a lock: two interrupts of a bus may be unmasked side by side. 6.12 uses a
page of the CPU's own with interrupts off.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel import ops
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.interrupts import Interrupts


class OneBuffer(Interrupts):
    """The buffer of the bus, without its lock."""

    async def retarget(self, hbus: HvPciBus, control: int, payload: bytes) -> int:
        buffers = vars(self).setdefault("retarget_msi_interrupt_params", {})
        buffers[hbus.relid] = control, payload
        await ops.point(self.kernel, "hbus.retarget_msi_interrupt_params")
        return self.kernel.hypercall(*buffers[hbus.relid]).status


DEFECT = Defect(
    id="retarget-params-on-stack",
    subject="PCI: hv: Allocate physically contiguous hypercall params buffer",
    commit="0de8ce3ee8e3",
    commit_check="unconfirmed",
    cls="B",
    fixed="2016-11 / v4.10",
    scenario="rebind-during-probe",
    expect="lost-interrupt",
    why="Two functions of one bus request interrupts side by side, and one is aimed twice, the"
    " other never. That is the fix without its lock: a model has no pages that a stack could"
    " cross. The commit id is unconfirmed.",
    mixins=(Mixin("driver", OneBuffer),),
)
