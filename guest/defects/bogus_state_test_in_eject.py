# SPDX-License-Identifier: MIT
"""The eject work gave up without an answer unless the function's state said that it was ejected.

The callback writes that state before it queues the work, and nobody writes another one. So no
order of events makes the test true. fca288c01546 (the id is a guess) took it out.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="bogus-state-test-in-eject",
    subject="PCI: hv: Remove the bogus test in hv_eject_device_work()",
    commit="fca288c01546",
    commit_check="unconfirmed",
    cls="A",
    fixed="2018-03 / v4.17",
    scenario="eject-idle",
    expect=None,
    why=(
        "A clean-up: the state the work tested is written before the work is queued, and never"
        " changed. Inferred from the subject, the diff was not read. Commit unconfirmed."
    ),
)
