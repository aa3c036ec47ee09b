# SPDX-License-Identifier: MIT
"""Configuration space was reached by instructions, which the host of a confidential VM cannot read.

2c6ba4216844 reaches it by hypercalls there. Before it such VMs had no vPCI devices.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.parts import Parts


class NeverCalls(Parts):
    """hv_pci_probe() that does not look at the hint."""

    async def choose_domain(self, hbus: HvPciBus) -> int:
        ret = await super().choose_domain(hbus)
        hbus.use_calls = False
        return ret


DEFECT = Defect(
    id="cvm-config-hypercalls",
    subject="PCI: hv: Enable PCI pass-thru devices in Confidential VMs",
    commit="2c6ba4216844",
    commit_check="unconfirmed",
    cls="D",
    fixed="2023-03 / v6.4",
    scenario="cvm-arrival",
    expect="lost-device",
    why="The host answers no instruction in the configuration window, so the PCI core finds no"
    " header that it knows and ignores the function. A feature and no fix. The commit id is"
    " unconfirmed.",
    mixins=(Mixin("driver", NeverCalls),),
)
