# SPDX-License-Identifier: MIT
"""Drivers that keep their vectors across hibernation got no interrupts afterwards.

The host has forgotten the mappings, and masks that could not be lifted while the channel was closed
stayed. 915cff7f38c5 composes all messages again in resume, and unmasks come what may.
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="resume-no-msi-recreate",
    subject="PCI: hv: Fix hibernation in case interrupts are not re-created",
    commit="915cff7f38c5",
    commit_check="verified",
    cls="C",
    fixed="2020-10 / v5.10",
    scenario="arrival",
    expect=None,
    why="It needs suspend and resume, which the lab does not have yet.",
)
