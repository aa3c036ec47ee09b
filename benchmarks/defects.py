# SPDX-License-Identifier: MIT
"""How soon each strategy finds each historical bug: schedules to the first failure, by seed.

Run with ``python -m benchmarks.defects [--cap N] [--seeds N] [--jobs N] [--strategy NAME]…
[--worst] [--driver kernel --tree TREE] [DEFECT…]``. A row is a bug of the catalogue that must fail,
a column a strategy, a cell the median over the seeds, or the worst of them; ``>N`` says that at
least half of the seeds, or one, found nothing within the cap. Only a failure of the expected kind
counts. The last row is wall clock and therefore only a hint.
"""

from __future__ import annotations

import argparse
import multiprocessing
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

import msgspec

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect
from sim.campaign import BATCH_PLANS
from sim.exploration import baseline
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Strategy
from sim.player import Player
from sim.scenario_grammar import DRIVERS
from sim.setup import Setup, read_setup

SEEDS: Final = 20
CAP_SCHEDULES: Final = 2_000  # what ``vpcisim explore`` plays by default


class Cell(NamedTuple):
    """One bug and one strategy: ``needed`` None is a median, or a worst seed, beyond the cap."""

    strategy: str
    needed: int | None
    schedules: int
    seconds: float


class Row(NamedTuple):
    """One bug and every strategy."""

    defect: str
    cells: tuple[Cell, ...]


def failing(driver: str) -> list[str]:
    """The bugs of the catalogue that must fail with this driver."""
    shown = (bug for bug in CATALOGUE.values() if bug.expect is not None)
    return [bug.id for bug in shown if driver in bug.drivers]


def setup_of(defect: Defect, driver: str, tree: Path | None) -> Setup:
    """The bug's own scenario with the bug in this driver; ``tree`` is what the real one is of."""
    setup = read_setup(defect.scenario, defect.id)
    where = None if tree is None else str(tree.resolve())
    return msgspec.structs.replace(setup, driver=driver, tree=where)


def measure(
    name: str,
    *,
    strategies: Sequence[str],
    seeds: int,
    cap: int,
    rank: int,
    driver: str,
    tree: Path | None,
) -> Row:
    """One row of the table; ``rank`` is which of the seeds counts, from 0 for the luckiest."""
    defect = CATALOGUE[name]
    setup = setup_of(defect, driver, tree)
    player, shown = Player(setup), baseline(setup)
    cells = []
    for strategy in strategies:
        make = STRATEGIES[strategy]
        began = perf_counter()
        counts = (first_failure(player, make(shown, seed), defect, cap) for seed in range(seeds))
        found = list(enough(counts, seeds - rank - 1))
        schedules = sum(cap if count is None else count for count in found)
        cells.append(Cell(strategy, ranked(found, rank), schedules, perf_counter() - began))
    return Row(name, tuple(cells))


def enough(counts: Iterator[int | None], misses: int) -> Iterator[int | None]:
    """The counts, up to where more than ``misses`` seeds have found nothing: the rest cannot
    change the answer."""
    missed = 0
    for count in counts:
        yield count
        missed += count is None
        if missed > misses:
            return


def ranked(found: Sequence[int | None], rank: int) -> int | None:
    """The count of this rank; None if it is beyond the cap."""
    counts = sorted(count for count in found if count is not None)
    return counts[rank] if rank < len(counts) else None


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
    cells = (f">{cap:,}" if cell.needed is None else f"{cell.needed:,}" for cell in row.cells)
    return f"| {row.defect} | " + " | ".join(cells) + " |"


def rates(rows: Sequence[Row]) -> str:
    """The last row: what was played in what time, over all bugs."""
    by_strategy = zip(*(row.cells for row in rows), strict=True)
    per_s = (
        sum(cell.schedules for cell in cells) / sum(cell.seconds for cell in cells)
        for cells in by_strategy
    )
    return "| *schedules per second* | " + " | ".join(f"*{rate:,.0f}*" for rate in per_s) + " |"


def arguments() -> argparse.Namespace:
    """What is asked for."""
    parser = argparse.ArgumentParser(description="schedules to the first failure")
    parser.add_argument("defects", nargs="*", metavar="DEFECT")
    parser.add_argument("--strategy", action="append", choices=STRATEGIES, metavar="NAME")
    parser.add_argument("--cap", type=int, default=CAP_SCHEDULES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--worst", action="store_true", help="of the seeds, not the median")
    parser.add_argument("--driver", choices=DRIVERS, default="model")
    parser.add_argument("--tree", type=Path)
    return parser.parse_args()


def main() -> None:
    """Print the table, each row as soon as it is there."""
    asked = arguments()
    strategies = asked.strategy or list(STRATEGIES)
    row = partial(
        measure,
        strategies=strategies,
        seeds=asked.seeds,
        cap=asked.cap,
        rank=asked.seeds - 1 if asked.worst else asked.seeds // 2,
        driver=asked.driver,
        tree=asked.tree,
    )
    print("\n".join(heading(strategies)), flush=True)
    rows = []
    with multiprocessing.get_context("spawn").Pool(asked.jobs, maxtasksperchild=1) as pool:
        for one in pool.imap(row, asked.defects or failing(asked.driver)):
            print(line(one, asked.cap), flush=True)
            rows.append(one)
    print(rates(rows))


if __name__ == "__main__":
    main()
