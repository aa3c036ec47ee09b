# SPDX-License-Identifier: MIT
"""What the lab itself did to a run, in the past tense."""

from __future__ import annotations

import msgspec


class FaultInjected(msgspec.Struct, frozen=True, gc=False):
    """Something went wrong because an explorer chose it; ``at`` is what it hit (``HvDrState``)."""

    fault: str
    at: str
