# SPDX-License-Identifier: MIT
"""What a schedule costs under each strategy, as ``explore`` runs it by default: all laws on.

Wall-clock results only; the unit of cost is a timeout of bare simpy, measured in the same run.
"""

from __future__ import annotations

from typing import Any, Final

from sim.bench.unit import simpy_timeouts_per_s
from sim.campaign import PlayAll, campaign
from sim.exploration import baseline, players
from sim.explore.delay import DelayStrategy
from sim.explore.profile import Baseline
from sim.explore.strategies import STRATEGIES
from sim.setup import Setup

ROUNDS: Final = 3  # the best counts: others share the machine
SCHEDULES: Final = 64  # enough to keep two processes busy; all of it takes some ten seconds
JOBS: Final = 2


def measure(setup: Setup, *, scenario: str, seed: int) -> list[dict[str, Any]]:
    """One row per strategy, as ``bench explore --json`` prints them.

    ``two_jobs_ratio`` is how much faster two processes are than one. The row of ``delay`` tells
    also how many schedules its pass over single delays has, and what it costs.
    """
    unit = simpy_timeouts_per_s()
    known = baseline(setup)
    with players(setup, jobs=1) as alone, players(setup, jobs=JOBS) as together:
        rows = [
            _row(name, known, seed, alone, together) | {"simpy_timeouts_per_s": unit}
            for name in STRATEGIES
        ]
    for row in rows:
        row["timeouts_per_schedule"] = unit / row["schedules_per_s"]
        if row["strategy"] == DelayStrategy.name:
            row["pass_schedules"] = DelayStrategy(known, seed).ends_left
            row["pass_timeouts"] = row["pass_schedules"] * row["timeouts_per_schedule"]
    return [{"driver": setup.driver, "scenario": scenario, **row} for row in rows]


def _row(
    name: str, known: Baseline, seed: int, alone: PlayAll, together: PlayAll
) -> dict[str, Any]:
    rate = _schedules_per_s(name, known, seed, alone)
    both = _schedules_per_s(name, known, seed, together)
    return {"strategy": name, "schedules_per_s": rate, "two_jobs_ratio": both / rate}


def _schedules_per_s(name: str, known: Baseline, seed: int, run: PlayAll) -> float:
    """The best of some campaigns.

    Each draws other schedules: one that was played before costs less, and nobody plays it again.
    """
    results = (
        campaign(STRATEGIES[name](known, seed + nth), run, schedules=SCHEDULES)
        for nth in range(ROUNDS)
    )
    return max(result.closing.schedules / result.seconds for result in results)
