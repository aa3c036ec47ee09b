# SPDX-License-Identifier: MIT
"""Every interrupt kept the mapping that it was given when it was only reserved.

b4b77778ecc5 used existing mappings again for all interrupts, although only a multi-MSI block needs
it. The first compose names a dummy CPU, and a host may choose the physical CPU by that one alone;
until c234ba804292 the second, which names the real CPU, told it nothing.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_core.types import MsiDesc
from guest.pci_hyperv.interrupts import Interrupts


class AlwaysAgain(Interrupts):
    """hv_compose_msi_msg() that returns the recorded message of any interrupt."""

    def may_reuse(self, _msi_desc: MsiDesc) -> bool:
        return True


DEFECT = Defect(
    id="irte-reuse-non-multimsi",
    subject="PCI: hv: Only reuse existing IRTE allocation for Multi-MSI",
    commit="c234ba804292",
    commit_check="verified",
    cls="B",
    fixed="2022-11 / v6.1",
    scenario="arrival",
    expect=None,
    why="Performance only: every interrupt arrives where it should, and one physical CPU takes"
    " them all. No law can forbid that, since placing them is the host's business.",
    mixins=(Mixin("driver", AlwaysAgain),),
    bred_by="irte-realloc-on-recompose",
)
