# SPDX-License-Identifier: MIT
"""The size of the ring was counted in the guest's pages.

On arm64 with pages of 64 KiB it was no longer what the host counts in. Since b5ff74c1ef50 it is a
multiple of the host's pages.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="ring-size-page64k",
    subject="PCI: hv: Fix ring buffer size calculation",
    commit="b5ff74c1ef50",
    commit_check="verified",
    cls="F",
    fixed="2024-02 / v6.9",
    scenario="arrival",
    expect=None,
    why="The model's guest has pages of 4 KiB, as the host has, and then the sizes are the same.",
)
