# SPDX-License-Identifier: MIT
"""A rescind and a close that both removed one sub-channel, and a rescind that waited for ever.

Since 192b2d78722f channels are looked up by relid under channel_mutex, and an offer that fails sets
``probe_done`` all the same.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="rescind-double-removal",
    subject="Drivers: hv: vmbus: Fix bugs in rescind handling",
    commit="192b2d78722f",
    commit_check="unconfirmed",
    cls="E",
    fixed="2017-09 / v4.14-4.15",
    scenario="rescind-during-probe",
    expect=None,
    why=(
        "vPCI opens no sub-channels, so there is none that two could remove. The other half, "
        "a failed offer that does not set probe_done, cannot be told from the fixed code: a "
        "rescind that waits for an offer whose device cannot be allocated reads a freed "
        "channel in both (the fixed code does so to this day)."
    ),
)
