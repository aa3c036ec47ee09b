# SPDX-License-Identifier: MIT
"""The MSI domain became a child of the vector domain's; no bug is known before or after.

5f83d6337c9c frees a mapping with the domain's interrupts instead of from msi_free().
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="msi-parent-domain-conversion",
    subject="PCI: hv: Switch to msi_create_parent_irq_domain()",
    commit="5f83d6337c9c",
    commit_check="verified",
    cls="B",
    fixed="2025-07 / v6.17",
    scenario="arrival",
    expect=None,
    why="A conversion, which fixes nothing and has not been fixed itself. Only its subject is"
    " known.",
)
