# SPDX-License-Identifier: MIT
"""How much can be asked of a campaign: slips of the pen are refused, no machine is protected."""

from __future__ import annotations

from typing import Final

SCHEDULES_MAX: Final = 10**9  # a month of the cheapest scenario
JOBS_MAX: Final = 1_024
SEED_MAX: Final = 2**64 - 1  # what SplitMix64 has for a state
