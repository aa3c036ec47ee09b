# SPDX-License-Identifier: MIT
"""An interrupt looked up a channel before there was a table of channels.

A kernel that was started by kexec may find events that its predecessor's channels left. Since
1eb65c868731 the look-up warns and finds nothing.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="relid-table-null",
    subject="Drivers: vmbus: Check for channel allocation before looking up relids",
    commit="1eb65c868731",
    commit_check="verified",
    cls="E",
    fixed="2023-02 / v6.3",
    scenario="arrival",
    expect=None,
    why=(
        "The model's table of channels is there before any interrupt can be. In Linux a crash "
        "kernel has none until its contact is answered, and where no UNLOAD was said (VMBus 2.4) "
        "the host may signal its predecessor's channels until then."
    ),
)
