# SPDX-License-Identifier: MIT
"""Every order, those that depart least often from natural order first, but for equivalent ones.

Depth-first search without stored states (Godefroid, "Model Checking for Programming Languages
using VeriSoft", POPL 1997), with sleep sets (the same, LNCS 1032, 1996, chapter 5): what was played
at a moment already need not be played again behind a step that is independent of it. The search is
bounded by how often a schedule departs from the first option, and the bound is raised when it is
exhausted. Lateness and faults are options like the others.

Departures: a step is known to be independent once it was seen (:mod:`sim.explore.independence`),
so of several alternatives of one moment only the one that was played first goes to sleep; under a
bound, an order may be left out whose equivalent departs more often (Coons, Musuvathi and McKinley,
"Bounded Partial-Order Reduction", OOPSLA 2013), and is played when the bound has been raised.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from sim.explore.dfs_run import DfsPlan, Trunk
from sim.explore.profile import Baseline
from sim.explore.strategy import LOST, Exhausted, Plan, RunReport

BUT_FOR: Final = ", but for steps under different locks that change places"


class DfsStrategy:
    """Runs by rising number of departures from what comes first."""

    name = "dfs"

    def __init__(self, baseline: Baseline, seed: int) -> None:  # noqa: ARG002 - the port has them
        self._plans: Iterator[DfsPlan] = iter([DfsPlan(b"")])
        self._trunks: list[Trunk] = []  # from which the runs of the next bound branch off
        self._bound = 0  # departures of the runs that are being played
        self._finished = False
        self._played = 0
        self._incomplete = False  # a run was lost, or longer or wider than is looked at
        self._exhausted: tuple[Exhausted, ...] = ()

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """The highest bound of which all was played."""
        return self._exhausted

    def plans(self, most: int) -> list[Plan]:
        """More of this bound; of the next one once all of this has been learnt."""
        batch: list[Plan] = list(islice(self._plans, most))
        if not batch and not self._finished:
            self._finish_bound()
            batch = list(islice(self._plans, most))
        return batch

    def learn(self, plan: Plan, report: RunReport) -> None:  # noqa: ARG002 - the port has it
        """Keep what branches off for the next bound."""
        self._played += 1
        self._incomplete |= report.verdict == LOST
        for trunk in report.branches:
            assert isinstance(trunk, Trunk), "a run tells its trunk"
            self._incomplete |= trunk.beyond
            if next(trunk.branches(), None) is not None:
                self._trunks.append(trunk)

    def _finish_bound(self) -> None:
        """All of this bound was played: go on with what branches off from it."""
        self._finished = not self._trunks
        if not self._incomplete:
            most = "any number of" if self._finished else f"at most {self._bound}"
            bound = f"{most} departures{BUT_FOR}"
            self._exhausted = (Exhausted(bound, self._played, self._finished),)
        self._bound += 1
        trunks, self._trunks = self._trunks, []
        self._plans = chain.from_iterable(trunk.branches() for trunk in trunks)
