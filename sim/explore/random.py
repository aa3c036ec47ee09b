# SPDX-License-Identifier: MIT
"""A random walk: whoever can go on is as likely as any other. The measure of every other strategy.

In the study of Thomson, Donaldson and Betts (SCTBench, ACM TOPC 2016, section 6) it finds nearly as
many bugs as the best; it favours orders in which contexts take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from sim.choices import Chooser, Option
from sim.explore.sampling import Rare, Sampler, Walker
from sim.explore.strategy import Plan


class RandomPlan(Plan, frozen=True):
    """One random walk."""

    strategy: ClassVar[str] = "random"
    seed: int
    windows: Rare

    def chooser(self) -> Chooser:
        return RandomWalk(self.seed, self.windows)


class RandomWalk(Walker):
    """Draws evenly."""

    def pick(self, options: Sequence[Option], runnable: int) -> int:  # noqa: ARG002 - the port has it
        return self.random.below(runnable)


class RandomStrategy(Sampler):
    """Random walks without end."""

    name = "random"

    def draw(self) -> Plan:
        return RandomPlan(self.random.next_u64(), self.windows)
