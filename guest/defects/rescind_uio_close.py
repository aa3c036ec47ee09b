# SPDX-License-Identifier: MIT
"""A user's open file kept a rescinded channel's ring, or had it freed under it.

Since 6fd28941447b closing and freeing are two steps that uio_hv_generic takes one at a time.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="rescind-uio-close",
    subject="Drivers: hv: vmbus: Fix rescind handling in uio_hv_generic",
    commit="6fd28941447b",
    commit_check="verified",
    cls="E",
    fixed="2024-09 / v6.11",
    scenario="rescind-without-eject",
    expect=None,
    why="Concerns uio_hv_generic; a vPCI bus has no user who holds its ring.",
)
