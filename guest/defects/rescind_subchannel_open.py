# SPDX-License-Identifier: MIT
"""A sub-channel that was still open when it was rescinded: nobody freed it, or close did too soon.

Since 7fa32e5ec28b the close of the primary channel waits for the rescind of its sub-channels.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="rescind-subchannel-open",
    subject="Drivers: hv: vmbus: Fix a rescind issue",
    commit="7fa32e5ec28b",
    commit_check="unconfirmed",
    cls="E",
    fixed="2017-11 / v4.15",
    scenario="rescind-during-probe",
    expect=None,
    why="vPCI opens no sub-channels, and nothing else waits for rescind_event.",
)
