# SPDX-License-Identifier: MIT
"""Drivers that keep their vectors across hibernation got no interrupts afterwards.

The host has forgotten the mappings, and masks that could not be lifted while the channel was closed
stayed. 915cff7f38c5 composes all messages again in resume, and unmasks come what may.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.power import Power


class NothingComposedAgain(Power):
    """hv_pci_resume() that leaves the interrupts to the PCI core.

    That writes the old messages back, and nobody is behind them.
    """

    async def hv_pci_restore_msi_state(self, hbus: HvPciBus) -> None:
        pass


DEFECT = Defect(
    id="resume-no-msi-recreate",
    subject="PCI: hv: Fix hibernation in case interrupts are not re-created",
    commit="915cff7f38c5",
    commit_check="verified",
    cls="C",
    fixed="2020-10 / v5.10",
    scenario="hibernate",
    expect="lost-interrupt",
    why="The GPU's driver keeps its vector, and the first interrupt after hibernation is lost.",
    mixins=(Mixin("driver", NothingComposedAgain),),
    edits=(Drop("hv_pci_resume", ("hv_pci_restore_msi_state",)),),
)
