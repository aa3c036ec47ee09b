# SPDX-License-Identifier: MIT
"""hv_compose_msi_msg() slept until the host answered, with the interrupt's descriptor locked.

Until 80bfeeb9dd6b it was wait_for_completion(); then the completion was polled with udelay().
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.mapping_request import ComposeCompCtxt, MappingRequest


class ComposeSleeps(MappingRequest):
    """Waits for the answer as everybody else does."""

    async def await_answer(self, _hbus: HvPciBus, _hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        await comp.comp_pkt.host_event.wait()
        return True


DEFECT = Defect(
    id="compose-sleeps",
    subject="PCI: hv: Do not sleep in compose_msi_msg()",
    commit="80bfeeb9dd6b",
    commit_check="verified",
    cls="B",
    fixed="2017 / v4.13",
    scenario="arrival",
    expect="sleep-in-atomic",
    why="request_irq() composes with the descriptor locked and interrupts off; the wait sleeps.",
    mixins=(Mixin("driver", ComposeSleeps),),
)
