# SPDX-License-Identifier: MIT
"""Unbinding the driver left the slots of its functions in sysfs.

Slots were destroyed by ejects only. 15becc2b56c6 added hv_pci_remove_slots() to hv_pci_remove().
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.root_bus import RootBus


class SlotsStay(RootBus):
    """No hv_pci_remove_slots()."""

    async def hv_pci_remove_slots(self, hbus: HvPciBus) -> None:
        pass


DEFECT = Defect(
    id="slots-not-removed-on-unload",
    subject="PCI: hv: Add hv_pci_remove_slots() when we unload the driver",
    commit="15becc2b56c6",
    commit_check="verified",
    cls="A",
    fixed="2019-03 / v5.2",
    scenario="rescind-without-eject",
    expect="leak",
    why=(
        "The slots outlive the bus. 6.12 destroys those it still finds in hv_pci_bus_exit(), which"
        " returns early after a rescind: so it shows there, and no longer after a plain unload."
    ),
    mixins=(Mixin("driver", SlotsStay),),
    edits=(Drop("hv_pci_remove", ("hv_pci_remove_slots",)),),
)
