# SPDX-License-Identifier: MIT
"""An answer too short for a status left the status unwritten, and the waiter read it.

a5b45b7b95ad lets hv_pci_generic_compl() write -1 then.
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="generic-compl-short",
    subject="PCI: hv: Handle hv_pci_generic_compl() error case",
    commit="a5b45b7b95ad",
    commit_check="unconfirmed",
    cls="D",
    fixed="2016-11 / v4.10",
    scenario="arrival",
    expect=None,
    why="No packet gets there: the channel callback skips what is no longer than a status, and"
    " rings carry multiples of eight bytes. 6.12's function has no such branch either. The commit"
    " id is unconfirmed.",
)
