# SPDX-License-Identifier: MIT
"""Partial order sampling: a random priority for each event, drawn anew after a race.

Yuan, Yang and Gu, "Partial Order Aware Concurrency Sampling", CAV 2018, algorithm 2. An event is
what a context does next; when one is chosen, those that race with it lose their priorities, so that
the outcome of one race says nothing about the next.

Departures: an event is known by the point at which its context is stopped, and two race if their
points name one object (a lock and its unlock do). Nothing is known of what a host action touches:
it races with everybody. An event whose context went on unasked passes its priority on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sim.choices import Chooser, Option
from sim.explore.points import touched
from sim.explore.sampling import Rare, Sampler, Walker
from sim.explore.strategy import Plan


class PosPlan(Plan, frozen=True):
    """One sample."""

    strategy: ClassVar[str] = "pos"
    seed: int
    windows: Rare

    def chooser(self) -> Chooser:
        return PosChooser(self.seed, self.windows)


class PosChooser(Walker):
    """The event of the highest priority goes on."""

    def __init__(self, seed: int, windows: Rare) -> None:
        super().__init__(seed, windows)
        self._priorities: dict[Option, int] = {}

    def pick(self, options: Sequence[Option], runnable: int) -> int:
        priorities = self._priorities
        highest = best = -1
        for index in range(runnable):
            option = options[index]
            priority = priorities.get(option)
            if priority is None:
                priority = priorities[option] = self.random.next_u64()
            if priority > highest:
                highest, best = priority, index
        self._settle(options, runnable, best)
        return best

    def _settle(self, options: Sequence[Option], runnable: int, best: int) -> None:
        """Forget the priorities of the event chosen and of those that race with it."""
        thing = touched(options[best].at)
        for index in range(runnable):
            option = options[index]
            other = touched(option.at)
            if index == best or thing is None or other is None or (thing and thing == other):
                del self._priorities[option]


class PosStrategy(Sampler):
    """Samples without end."""

    name = "pos"

    def draw(self) -> Plan:
        return PosPlan(self.random.next_u64(), self.windows)
