# SPDX-License-Identifier: MIT
"""A device that asked for several MSI vectors was given one.

The vector domain refuses more than one vector where they must be contiguous, and the allocation is
tried again with one. 08e61e861a0e takes the demand back, which a host with remapping does not need.
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="multi-msi-one-vector",
    subject="PCI: hv: Fix multi-MSI to allow more than one MSI vector",
    commit="08e61e861a0e",
    commit_check="verified",
    cls="B",
    fixed="2022-04 / v5.19",
    scenario="multi-msi",
    expect=None,
    why="The kernel may always grant fewer vectors than it is asked for: a driver then shares the"
    " one or refuses the device, and either is lawful.",
)
