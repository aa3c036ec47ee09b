# SPDX-License-Identifier: MIT
"""How soon each strategy finds each historical bug: schedules to the first failure, by seed.

Run with ``python -m benchmarks.defects [--cap N] [--seeds N] [--jobs N] [--strategy NAME]…
[DEFECT…]``. A row is a bug of the catalogue that must fail, a column a strategy, a cell the median
over the seeds; ``>N`` says that at least half of the seeds found nothing within the cap. Only a
failure of the expected kind counts. The last row is wall clock and therefore only a hint.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from functools import partial
from statistics import median_high
from time import perf_counter
from typing import Final, NamedTuple

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect
from sim.campaign import BATCH_PLANS
from sim.exploration import baseline
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Strategy
from sim.player import Player
from sim.setup import read_setup

SEEDS: Final = 20
CAP_SCHEDULES: Final = 2_000  # what ``vpcisim explore`` plays by default


class Cell(NamedTuple):
    """One bug and one strategy: ``median`` None is a median beyond the cap."""

    strategy: str
    median: int | None
    schedules: int
    seconds: float


class Row(NamedTuple):
    """One bug and every strategy."""

    defect: str
    cells: tuple[Cell, ...]


def failing() -> list[str]:
    """The bugs of the catalogue that must fail."""
    return [defect.id for defect in CATALOGUE.values() if defect.expect is not None]


def measure(name: str, *, strategies: Sequence[str], seeds: int, cap: int) -> Row:
    """One row of the table."""
    defect = CATALOGUE[name]
    setup = read_setup(defect.scenario, defect.id)
    player, shown = Player(setup), baseline(setup)
    cells = []
    for strategy in strategies:
        make = STRATEGIES[strategy]
        began = perf_counter()
        found = list(
            enough(
                (first_failure(player, make(shown, seed), defect, cap) for seed in range(seeds)),
                seeds,
            )
        )
        schedules = sum(cap if count is None else count for count in found)
        cells.append(Cell(strategy, median(found, cap), schedules, perf_counter() - began))
    return Row(name, tuple(cells))


def enough(counts: Iterator[int | None], seeds: int) -> Iterator[int | None]:
    """The counts, up to where more than half of the seeds have found nothing: the rest cannot
    change the median."""
    missed = 0
    for count in counts:
        yield count
        missed += count is None
        if missed > seeds // 2:
            return


def median(found: Sequence[int | None], cap: int) -> int | None:
    """The upper median; None if it is beyond the cap."""
    middle = median_high(cap + 1 if count is None else count for count in found)
    return None if middle > cap else middle


def first_failure(player: Player, strategy: Strategy, defect: Defect, cap: int) -> int | None:
    """How many schedules it takes until one ends as the bug must; None if none of the cap does."""
    played = 0
    while plans := strategy.plans(min(BATCH_PLANS, cap - played)):
        for plan in plans:
            played += 1
            report = player(plan)
            if report.violation is not None and report.violation.kind == defect.expect:
                return played
            strategy.learn(plan, report)
    return None


def heading(strategies: Sequence[str]) -> Iterator[str]:
    """The first lines of a table in Markdown."""
    yield "| historical bug | " + " | ".join(strategies) + " |"
    yield "|---|" + "--:|" * len(strategies)


def line(row: Row, cap: int) -> str:
    """A row of the table."""
    cells = (f">{cap:,}" if cell.median is None else f"{cell.median:,}" for cell in row.cells)
    return f"| {row.defect} | " + " | ".join(cells) + " |"


def rates(rows: Sequence[Row]) -> str:
    """The last row: what was played in what time, over all bugs."""
    by_strategy = zip(*(row.cells for row in rows), strict=True)
    per_s = (
        sum(cell.schedules for cell in cells) / sum(cell.seconds for cell in cells)
        for cells in by_strategy
    )
    return "| *schedules per second* | " + " | ".join(f"*{rate:,.0f}*" for rate in per_s) + " |"


def main() -> None:
    """Print the table, each row as soon as it is there."""
    parser = argparse.ArgumentParser(description="schedules to the first failure")
    parser.add_argument("defects", nargs="*", default=failing(), metavar="DEFECT")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, metavar="NAME")
    parser.add_argument("--cap", type=int, default=CAP_SCHEDULES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    strategies = asked.strategy or list(STRATEGIES)
    row = partial(measure, strategies=strategies, seeds=asked.seeds, cap=asked.cap)
    print("\n".join(heading(strategies)), flush=True)
    rows = []
    with multiprocessing.get_context("spawn").Pool(asked.jobs) as pool:
        for one in pool.imap(row, asked.defects):
            print(line(one, asked.cap), flush=True)
            rows.append(one)
    print(rates(rows))


if __name__ == "__main__":
    main()
