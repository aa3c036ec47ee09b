# SPDX-License-Identifier: MIT
"""Probabilistic concurrency testing: strict random priorities, lowered at a few random moments.

Burckhardt, Kothari, Musuvathi and Nagarakatti, "A Randomized Scheduler with Probabilistic
Guarantees of Finding Bugs", ASPLOS 2010, section 2.3 and algorithm 1. Of n threads and k steps a
run finds a bug of depth d with a probability of at least 1/(n k^(d-1)) (their theorem 9).

Departures, as far as they touch that bound:
- a step is a choice: where only one can go on, a priority cannot matter;
- n and k are not known beforehand: a new context gets a priority when it is first seen, k is what
  is typical of the baseline, and beyond it nothing is lowered any more;
- host actions of one label share a priority, as one thread that does them would;
- time and faults stand outside the priorities (:mod:`sim.explore.sampling`).

Depths are taken in turn. In the study of Thomson et al. (SCTBench) depth 3 found the most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from sim.choices import Chooser, Option
from sim.explore.profile import Baseline
from sim.explore.sampling import Rare, Sampler, Walker
from sim.explore.strategy import Plan

DEPTHS: Final = (1, 2, 3, 4)  # most known bugs need no more than two ordering constraints


class PctPlan(Plan, frozen=True):
    """One run at a depth. ``choices`` is how long a run is expected to be."""

    strategy: ClassVar[str] = "pct"
    seed: int
    windows: Rare
    depth: int
    choices: int

    def chooser(self) -> Chooser:
        return PctChooser(self)


class PctChooser(Walker):
    """The highest priority goes on.

    Initial priorities are at least ``depth``. Whoever would go on at the i-th change gets priority
    i, below all of them; the changes come in any order.
    """

    def __init__(self, plan: PctPlan) -> None:
        super().__init__(plan.seed, plan.windows)
        self._depth = plan.depth
        self._priorities: dict[str, int] = {}
        self._made = 0
        changes = [(self.random.below(plan.choices), i) for i in range(1, plan.depth)]
        self._changes = sorted(changes, reverse=True)  # (at which choice, the new priority)

    def pick(self, options: Sequence[Option], runnable: int) -> int:
        index = self._highest(options, runnable)
        changes = self._changes
        while changes and changes[-1][0] == self._made:
            self._priorities[options[index].name] = changes.pop()[1]
            index = self._highest(options, runnable)
        self._made += 1
        return index

    def _highest(self, options: Sequence[Option], runnable: int) -> int:
        priorities = self._priorities
        highest = best = -1
        for index in range(runnable):
            name = options[index].name
            priority = priorities.get(name)
            if priority is None:
                priority = priorities[name] = self._depth + self.random.next_u64()
            if priority > highest:
                highest, best = priority, index
        return best


class PctStrategy(Sampler):
    """Runs of each depth in turn."""

    name = "pct"

    def __init__(self, baseline: Baseline, seed: int, depths: Sequence[int] = DEPTHS) -> None:
        super().__init__(baseline, seed)
        self._depths = depths
        self._drawn = 0

    def draw(self) -> Plan:
        depth = self._depths[self._drawn % len(self._depths)]
        self._drawn += 1
        choices = max(1, self.baseline.typical(lambda run: run.contested))
        return PctPlan(self.random.next_u64(), self.windows, depth, choices)
