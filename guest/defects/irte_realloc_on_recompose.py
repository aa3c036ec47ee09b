# SPDX-License-Identifier: MIT
"""Composing the first vector of a multi-MSI block again took the mapping from all the others.

Until b4b77778ecc5 a mapping that existed was given back and asked for anew, whatever it served.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Force
from guest.pci_core.types import MsiDesc
from guest.pci_hyperv.interrupts import Interrupts


class AlwaysAnew(Interrupts):
    """hv_compose_msi_msg() that never returns the recorded message."""

    def may_reuse(self, _msi_desc: MsiDesc) -> bool:
        return False


DEFECT = Defect(
    id="irte-realloc-on-recompose",
    subject="PCI: hv: Reuse existing IRTE allocation in compose_msi_msg()",
    commit="b4b77778ecc5",
    commit_check="verified",
    cls="B",
    fixed="2022-05 / v5.19",
    scenario="multi-msi",
    expect="lost-interrupt",
    why="The driver requests the first vector of its block last: the new mapping comes with dummy"
    " targets for the others, which are open already.",
    mixins=(Mixin("driver", AlwaysAnew),),
    edits=(Force("hv_compose_msi_msg", ("chip_data", "multi_msi")),),
)
