# SPDX-License-Identifier: MIT
"""Nothing kept the choice of a function and the access to it in order.

Configuration space has two pages, one to choose the function with and one to reach its registers.
bdd74440d9e8 put barriers between the two and behind them; which one mattered was never found out.
"""

from __future__ import annotations

from guest.defects.record import Defect

DEFECT = Defect(
    id="config-barriers",
    subject="PCI: hv: Add explicit barriers to config space access",
    commit="bdd74440d9e8",
    commit_check="unconfirmed",
    cls="F",
    fixed="2016 / v4.7",
    scenario="eject-two-devices",
    expect=None,
    why=(
        "The model's CPUs keep their accesses in order, and no source says which two the "
        "hosts of that time saw in another."
    ),
)
