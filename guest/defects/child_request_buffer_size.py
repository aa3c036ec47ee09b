# SPDX-License-Identifier: MIT
"""The resource query of a new function was written behind the packet that was to hold it.

The buffer was a union of packet and message where one behind the other was meant.
"""

from guest.defects.record import Defect

DEFECT = Defect(
    id="child-request-buffer-size",
    subject="PCI: hv: Use the correct buffer size in new_pcichild_device()",
    commit="not found",
    commit_check="-",
    cls="D",
    fixed="2016-11 / v4.10",
    scenario="arrival",
    expect=None,
    why="The model's packets hold their messages as values and have no neighbours on the stack"
    " that could be overwritten. The commit was not found.",
)
