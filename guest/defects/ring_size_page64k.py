# SPDX-License-Identifier: MIT
"""The size of the ring was counted in the guest's pages: four of them.

On arm64 with pages of 64 KiB each ring had 256 KiB, of which vPCI needs a few. Since b5ff74c1ef50
it is 16 KiB and the header, rounded up to whole pages (VMBUS_RING_SIZE).
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
    why="It costs memory, and only where pages have 64 KiB: every host takes a ring of 256 KiB, so"
    " nothing goes wrong. The model's guest has pages of 4 KiB on arm64, too.",
)
