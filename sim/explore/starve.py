# SPDX-License-Identifier: MIT
"""Starvation windows: for a while some contexts do not run at all, even if time must pass instead.

After rr's chaos mode (O'Callahan, "Introducing rr Chaos Mode" and "rr Chaos Mode Improvements",
2016): some bugs need one thread to be starved for long, others for a short time at the right
moment. As there, the length is drawn from a scale of doublings, so that every magnitude is as
likely, and the victims are few. Departures: lengths count choices and not seconds, victims are
drawn for each window anew, and outside of the windows the order is natural.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from sim.choices import NO_FAULT, PASSING, Chooser, Option
from sim.explore.sampling import Rare, Sampler, Walker
from sim.explore.strategy import Plan

# rr starves one thread in ten. Here two to five can go on at a time: with one in three a window
# mostly has a victim and somebody who is not.
VICTIM_ONE_IN: Final = 3


class StarvePlan(Plan, frozen=True):
    """One run. ``choices`` is how long it is expected to be."""

    strategy: ClassVar[str] = "starve"
    seed: int
    windows: Rare
    choices: int

    def chooser(self) -> Chooser:
        return StarveChooser(self)


class StarveChooser(Walker):
    """``_until_change`` counts the choices to the next beginning or end of a window."""

    def __init__(self, plan: StarvePlan) -> None:
        super().__init__(plan.seed, plan.windows)
        self._choices = plan.choices
        self._starving = False
        self._until_change = self.random.below(plan.choices)
        self._victims: dict[str, bool] = {}

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is NO_FAULT:
            return self._strike()
        if self._until_change == 0:
            self._change()
        self._until_change -= 1
        return self._first_fed(options) if self._starving else 0

    def _change(self) -> None:
        self._starving = not self._starving
        if self._starving:
            self._until_change = 1 << self.random.below(self._choices.bit_length())
            self._victims.clear()
        else:
            self._until_change = 1 + self.random.below(self._choices)

    def _first_fed(self, options: Sequence[Option]) -> int:
        """The first who is no victim; if all are, time passes if it may."""
        last = len(options) - 1
        for index, option in enumerate(options):
            if option is PASSING:
                return last
            if not self._is_victim(option.name):
                return index
        return 0

    def _is_victim(self, name: str) -> bool:
        victim = self._victims.get(name)
        if victim is None:
            victim = self._victims[name] = self.random.below(VICTIM_ONE_IN) == 0
        return victim


class StarveStrategy(Sampler):
    """Runs with windows, without end."""

    name = "starve"

    def draw(self) -> Plan:
        choices = max(1, self.baseline.typical(lambda run: len(run.moments)))
        return StarvePlan(self.random.next_u64(), self.windows, choices)
