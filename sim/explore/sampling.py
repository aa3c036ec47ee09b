# SPDX-License-Identifier: MIT
"""What the strategies that draw lots have in common. Knows no way of choosing among contexts.

Lateness and faults are rare things: the moment for each is drawn in advance, over a window of
twice as many such moments as a run typically has, so that it falls anywhere in a run and about half
of the runs have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from sim.choices import NO_FAULT, PASSING, Option, SplitMix64
from sim.explore.profile import Baseline
from sim.explore.strategy import Exhausted, Plan, RunReport, dice

MOMENTS_MIN: Final = 4  # where a run typically has none, another order may have some


class Rare(msgspec.Struct, frozen=True):
    """Over how many moments at which time may pass, or a fault happen, the next one is drawn."""

    late: int
    fault: int


def rare(baseline: Baseline) -> Rare:
    """The windows that suit a scenario."""
    return Rare(
        late=2 * max(MOMENTS_MIN, baseline.typical(lambda run: run.may_be_late)),
        fault=2 * max(MOMENTS_MIN, baseline.typical(lambda run: len(run.faults))),
    )


class Walker:
    """A chooser that draws: the rare things here, who goes on in :meth:`pick`."""

    def __init__(self, seed: int, windows: Rare) -> None:
        self.random = SplitMix64(seed)
        self._windows = windows
        self._late_in = self.random.below(windows.late)
        self._fault_in = self.random.below(windows.fault)

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is NO_FAULT:
            return self._strike()
        runnable = len(options)
        if options[-1] is PASSING:
            runnable -= 1
            self._late_in -= 1
            if self._late_in < 0:
                self._late_in = self.random.below(self._windows.late)
                return runnable
        return self.pick(options, runnable) if runnable > 1 else 0

    def pick(self, options: Sequence[Option], runnable: int) -> int:
        """Which of the first ``runnable`` options, at least two, goes on."""
        raise NotImplementedError

    def _strike(self) -> int:
        self._fault_in -= 1
        if self._fault_in >= 0:
            return 0
        self._fault_in = self.random.below(self._windows.fault)
        return 1


class Sampler:
    """A strategy that never ends and learns nothing: each plan is drawn by :meth:`draw`."""

    name: str

    def __init__(self, baseline: Baseline, seed: int) -> None:
        self.baseline = baseline
        self.random = dice(self.name, seed)
        self.windows = rare(baseline)

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """Nothing: there is always another sample."""
        return ()

    def plans(self, most: int) -> list[Plan]:
        """So many more samples."""
        return [self.draw() for _ in range(most)]

    def learn(self, plan: Plan, report: RunReport) -> None:
        """Samples are independent of each other."""

    def draw(self) -> Plan:
        """The next sample."""
        raise NotImplementedError
