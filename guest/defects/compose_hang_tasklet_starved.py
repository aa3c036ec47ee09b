# SPDX-License-Identifier: MIT
"""hv_compose_msi_msg() polled for an answer that its own CPU was to bring.

The loop of 80bfeeb9dd6b only looked at the completion. The tasklet that completes it runs on the
channel's CPU, and cannot if that one polls with interrupts off; and a device that has gone is not
answered for at all. de0aa7b2f97d calls the channel callback from the loop, and leaves it when the
vendor id reads all ones.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel import ops
from guest.native.edits.record import EVERY, Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.mapping_request import POLL_US, ComposeCompCtxt, MappingRequest


class OnlyLooks(MappingRequest):
    """Polls the completion, and nothing else."""

    async def await_answer(self, _hbus: HvPciBus, _hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        while not comp.comp_pkt.host_event.try_wait():
            await ops.udelay(self.kernel, POLL_US)
        return True


DEFECT = Defect(
    id="compose-hang-tasklet-starved",
    subject="PCI: hv: Fix 2 hang issues in hv_compose_msi_msg()",
    commit="de0aa7b2f97d",
    commit_check="verified",
    cls="B",
    fixed="2018-03 / v4.17",
    scenario="arrival",
    expect="hang",
    why="The bus is probed on the CPU that the channel interrupts: nobody else can take the"
    " answer.",
    mixins=(Mixin("driver", OnlyLooks),),
    bred_by="compose-sleeps",
    edits=(
        Drop("hv_compose_msi_msg", ("tasklet_disable_in_atomic",)),
        Drop("hv_compose_msi_msg", ("hv_pci_onchannelcallback",)),
        Drop("hv_compose_msi_msg", ("tasklet_enable",), EVERY),
    ),
)
