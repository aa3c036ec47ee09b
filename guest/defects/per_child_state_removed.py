# SPDX-License-Identifier: MIT
"""A function had a state of its own that nothing needed any more.

add9195e69c9 removes hv_pcichild_state, which only the test of an ejecting function had read; that
test had gone with 2738d5ab7929 before.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="per-child-state-removed",
    subject="PCI: hv: Remove the useless hv_pcichild_state from struct hv_pci_dev",
    commit="add9195e69c9",
    commit_check="verified",
    cls="C",
    fixed="2023-06 / v6.4",
    scenario="eject-idle",
    expect=None,
    why="A clean-up: a field that is written and never read changes nothing.",
)
