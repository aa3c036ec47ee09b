# SPDX-License-Identifier: MIT
"""How much of an unmodified driver the built-in scenarios run, a few schedules each.

Run with ``python -m benchmarks.coverage --tree TREE [--schedules N] [--seed N] [--jobs N]
[--page DIR] [SCENARIO…]``. Prints the share of lines and branches that any of them has run, the
functions that none has called, and the lines of the others that none has come to.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

from guest.native.coverage import Coverage
from sim.coverage import counted
from sim.exploration import explored
from sim.real_driver import playable_setups
from sim.report.coverage import coverage_lines, write_page
from sim.scenario_reader import built_in_names

SCHEDULES: Final = 21  # natural order, and some others


def missed_lines(coverage: Coverage) -> Iterator[str]:
    """``function: 12-14, 20``, of functions that were called at all."""
    called = [function for function in coverage.functions if function.count > 0]
    starts = [function.line for function in coverage.functions]
    for function in called:
        end = min((line for line in starts if line > function.line), default=None)
        numbers = [
            (line.number, line.count > 0)
            for line in coverage.lines
            if line.number >= function.line and (end is None or line.number < end)
        ]
        missed = ranges(numbers)
        if missed:
            yield f"{function.name}: {', '.join(missed)}"


def ranges(numbers: list[tuple[int, bool]]) -> list[str]:
    """The lines that were not run, those that follow each other in one piece."""
    found: list[list[int]] = []
    for (_, before), (number, run) in pairwise([(0, True), *numbers]):
        if run:
            continue
        if before:
            found.append([])
        found[-1].append(number)
    return [f"{piece[0]}-{piece[-1]}" if len(piece) > 1 else f"{piece[0]}" for piece in found]


def share(part: int, whole: int) -> str:
    """In percent."""
    return f"{100 * part / whole:.1f} %" if whole else "-"


def main() -> None:
    """Play, and print the sums after the last scenario."""
    parser = argparse.ArgumentParser(description="how much of the driver the scenarios run")
    parser.add_argument("scenarios", nargs="*", default=built_in_names(), metavar="SCENARIO")
    parser.add_argument("--tree", type=Path, required=True)
    parser.add_argument("--schedules", type=int, default=SCHEDULES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--page", type=Path, default=None)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        coverage = None
        for setup in playable_setups(asked.scenarios, asked.tree):
            explored(
                setup,
                strategy="portfolio",
                schedules=asked.schedules,
                seed=asked.seed,
                jobs=asked.jobs,
                progress=lambda _done, _found: None,
                counts=Path(folder),
            )
            coverage = counted(setup, Path(folder))
            told = share(coverage.lines_run, len(coverage.lines))
            print(f"{setup.source:<28}{told:>8} of lines so far", flush=True)
    if coverage is None:
        raise SystemExit("none of these scenarios is for the real driver")
    print("\n".join(coverage_lines(coverage)))
    print(
        f"share    {share(coverage.lines_run, len(coverage.lines))} of lines,"
        f" {share(coverage.branches_run, coverage.branches)} of branches"
    )
    print("\n".join(f"missed   {line}" for line in missed_lines(coverage)))
    if asked.page is not None:
        print(f"page     {write_page(coverage, asked.page)}")


if __name__ == "__main__":
    main()
