# SPDX-License-Identifier: MIT
"""Resuming waited for ever for a device that was not offered again.

Since 19873eec7e13 vmbus_bus_resume() waits for ten seconds.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="resume-waits-for-all-devices",
    subject="Drivers: hv: vmbus: hibernation: do not hang forever in vmbus_bus_resume()",
    commit="19873eec7e13",
    commit_check="verified",
    cls="E",
    fixed="2020-09 / v5.9",
    scenario="arrival",
    expect=None,
    why="Needs hibernation, which the scenarios do not have yet.",
)
