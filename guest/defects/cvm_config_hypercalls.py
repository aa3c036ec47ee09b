# SPDX-License-Identifier: MIT
"""A confidential VM cannot map the configuration window; 2c6ba4216844 reads it by hypercalls."""

from guest.defects.record import Defect

DEFECT = Defect(
    id="cvm-config-hypercalls",
    subject="PCI: hv: Enable PCI pass-thru devices in Confidential VMs",
    commit="2c6ba4216844",
    commit_check="unconfirmed",
    cls="D",
    fixed="2023-03 / v6.4",
    scenario="arrival",
    expect=None,
    why="A feature and no fix: before it such VMs had no vPCI devices. Scenarios have no"
    " confidential VMs yet. The commit id is unconfirmed.",
)
