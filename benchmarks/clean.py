# SPDX-License-Identifier: MIT
"""Every built-in scenario without any bug, explored for ten million timeouts' worth each.

Run with ``python -m benchmarks.clean [--timeouts N] [--seed N] [--jobs N] [SCENARIO…]``. What may
come of it is nothing but ``clean`` and the open items that a scenario names; anything else is
printed with its plan, and the exit status is 1. A timeout is bare simpy's, measured here.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from functools import partial
from time import process_time
from typing import Final, NamedTuple

from sim.bench.unit import simpy_timeouts_per_s
from sim.campaign import BATCH_PLANS
from sim.exploration import baseline
from sim.explore.portfolio import Portfolio
from sim.explore.strategy import RunReport
from sim.player import Player
from sim.scenario_reader import built_in_names
from sim.setup import read_setup

TIMEOUTS: Final = 10**7
SCHEDULES_MAX: Final = 20_000  # as good as ten million timeouts, where that comes sooner


class Row(NamedTuple):
    """One scenario: what its schedules came to, and how those went that should not be."""

    scenario: str
    verdicts: Counter[str]
    traces: int
    wrong: tuple[str, ...]


def measure(name: str, *, seed: int, budget_s: float) -> Row:
    """Play the default portfolio, whole batches, until the time or the schedules are used up."""
    setup = read_setup(name)
    player, strategy = Player(setup), Portfolio(baseline(setup), seed)
    verdicts: Counter[str] = Counter()
    traces: set[int] = set()
    wrong: dict[str, None] = {}
    ends_s = process_time() + budget_s
    while True:
        for plan in strategy.plans(BATCH_PLANS):
            report = player(plan)
            strategy.learn(plan, report)
            verdicts[told(report)] += 1
            traces.add(report.fingerprint)
            if report.violation is not None:
                wrong[f"{report.violation.kind}: {report.violation.message}; {plan}"] = None
        if process_time() >= ends_s or verdicts.total() >= SCHEDULES_MAX:
            return Row(name, verdicts, len(traces), tuple(wrong))


def told(report: RunReport) -> str:
    """The verdict, with the open items that showed."""
    return " ".join((report.verdict, *report.known))


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description="nothing but what is known")
    parser.add_argument("scenarios", nargs="*", default=built_in_names(), metavar="SCENARIO")
    parser.add_argument("--timeouts", type=int, default=TIMEOUTS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    row = partial(measure, seed=asked.seed, budget_s=asked.timeouts / simpy_timeouts_per_s())
    failed = False
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for name, verdicts, traces, wrong in pool.imap(row, asked.scenarios):
            counts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items())
            print(f"{name:<28}{traces:>7,} traces  {counts}", flush=True)
            for line in wrong:
                print(f"    {line}", flush=True)
            failed = failed or bool(wrong)
    sys.exit(failed)


if __name__ == "__main__":
    main()
