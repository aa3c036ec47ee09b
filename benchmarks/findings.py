# SPDX-License-Identifier: MIT
"""The real driver of a Linux tree, unmodified: every scenario it can play, so many schedules each.

Run with ``python -m benchmarks.findings --tree TREE [--schedules N] [--seed N] [--jobs N]
[--save DIR] [SCENARIO…]``. What is found is shrunk and saved as a schedule; a line for each
scenario tells what its schedules came to. Exit status 1 if anything was found that the scenario
does not name.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from sim.exploration import explored, keeping
from sim.keeping import Kept, written
from sim.real_driver import playable_setups
from sim.scenario_reader import built_in_names
from sim.setup import Setup

SCHEDULES: Final = 100_000
SAVE: Final = Path("vpcisim-findings")


def findings(setup: Setup, *, schedules: int, seed: int, jobs: int, save: Path) -> list[Kept]:
    """Explore, print a line, and keep what was found."""

    def silent(_done: int, _found: int) -> None:
        return

    result = explored(
        setup, strategy="portfolio", schedules=schedules, seed=seed, jobs=jobs, progress=silent
    )
    told = ", ".join(("clean" if not result.found else "violation", *result.known))
    closing = result.closing
    every = "".join(
        f"; all {each.schedules:,} with {each.bound}"
        for each in closing.exhausted
        if each.schedules > 1
    )
    print(
        f"{setup.source:<28}{closing.schedules:>9,} schedules{closing.distinct_traces:>8,} traces"
        f"  {told}{every}",
        flush=True,
    )
    kept = keeping(setup, result, seed=seed, jobs=jobs, explain=False, progress=silent)
    return [written(one, save) for one in kept]


def main() -> None:
    """Print a line for each scenario, and two for each mistake."""
    parser = argparse.ArgumentParser(description="what is to be found in an unmodified driver")
    parser.add_argument("scenarios", nargs="*", default=built_in_names(), metavar="SCENARIO")
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--save", type=Path, default=SAVE)
    asked = parser.parse_args()
    failed = False
    for setup in playable_setups(asked.scenarios, asked.tree):
        for kept in findings(
            setup,
            schedules=asked.schedules,
            seed=asked.seed,
            jobs=asked.jobs,
            save=asked.save,
        ):
            violation = kept.schedule.violation
            print(f"    {violation.kind}: {violation.message}")
            print(f"    {kept.replay or kept.unwritten}", flush=True)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
