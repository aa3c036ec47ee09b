# SPDX-License-Identifier: MIT
"""hv_compose_msi_msg() held softirqs off around its look at the ring, where interrupts are off.

Letting softirqs in again is forbidden there. 35a88a18d7ea saves and restores interrupts instead;
sched_lock, which 6.12 takes at this place, came later.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.mapping_request import MappingRequest


class SoftirqsOff(MappingRequest):
    """local_bh_disable() and local_bh_enable() around the callback."""

    async def drain_channel(self, hbus: HvPciBus) -> bool:
        await self.kernel.local_bh_disable()
        await self.hv_pci_onchannelcallback(hbus)
        await self.kernel.local_bh_enable()
        return True


DEFECT = Defect(
    id="compose-bh-with-irqs-off",
    subject="PCI: hv: Disable/enable IRQs rather than BH in hv_compose_msi_msg()",
    commit="35a88a18d7ea",
    commit_check="unconfirmed",
    cls="B",
    fixed="2018-07 / v4.19",
    scenario="arrival",
    expect="warning",
    why="local_bh_enable() warns where interrupts are off: softirqs could run there. The commit"
    " id and what the old code did are unconfirmed.",
    mixins=(Mixin("driver", SoftirqsOff),),
    bred_by="compose-hang-tasklet-starved",
)
