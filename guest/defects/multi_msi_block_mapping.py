# SPDX-License-Identifier: MIT
"""Each vector of a multi-MSI block was mapped by itself, where the device needs one block.

The device writes the first vector's address and data plus n. Until a2bad844a67b the host was asked
for N single mappings, whose messages need not be next to each other; a mapping was used again when
it was composed again.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_core.types import MsiDesc
from guest.pci_hyperv.interrupts import Interrupts


class OneByOne(Interrupts):
    """hv_compose_msi_msg() before it knew of multi-MSI."""

    def is_multi_msi(self, _msi_desc: MsiDesc) -> bool:
        return False

    def may_reuse(self, _msi_desc: MsiDesc) -> bool:
        return True


DEFECT = Defect(
    id="multi-msi-block-mapping",
    subject="PCI: hv: Fix interrupt mapping for multi-MSI",
    commit="a2bad844a67b",
    commit_check="verified",
    cls="B",
    fixed="2022-05 / v5.19",
    scenario="multi-msi",
    expect="lost-interrupt",
    why="The first mapping holds one entry, so that the device's other messages reach no entry of"
    " their own.",
    mixins=(Mixin("driver", OneByOne),),
)
