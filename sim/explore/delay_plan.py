# SPDX-License-Identifier: MIT
"""One plan of :mod:`sim.explore.delay`: delays and faults, and how long such a delay may last.

Which delays are worth a plan is not decided here.
"""

from __future__ import annotations

from typing import ClassVar

from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.strategy import Plan
from sim.explore.until import steps


class DelayPlan(Plan, frozen=True):
    """Natural order but for these delays and faults."""

    strategy: ClassVar[str] = "delay"
    delays: tuple[Delay, ...] = ()
    faults: tuple[FaultAt, ...] = ()

    def chooser(self) -> DelayChooser:
        return DelayChooser(self.delays, self.faults)

    @property
    def departures(self) -> int:
        """How many delays and faults."""
        return len(self.delays) + len(self.faults)

    @property
    def drawn(self) -> bool:
        """Pairs are; of single ones each has its turn."""
        return self.departures > 1


class LongestPlan(DelayPlan, frozen=True):
    """One delay until nothing else can go on, to learn how many steps that takes."""

    def chooser(self) -> DelayChooser:
        return LongestChooser(self.delays[0])


class LongestChooser(DelayChooser):
    """Plays one delay, and tells the longest that is shorter."""

    def __init__(self, delay: Delay) -> None:
        super().__init__((delay,))
        self._delay = delay

    def branches(self) -> tuple[Plan, ...]:
        """The same delay one step shorter, if that is still a delay."""
        (lasted,) = self.lasted
        return shorter(self._delay, lasted)


def shorter(delay: Delay, lasted: int) -> tuple[Plan, ...]:
    """The longest delay that is shorter than one that lasted so many choices, if there is one."""
    return (DelayPlan((lasting(delay, lasted - 1),)),) if lasted > 1 else ()


def lasting(delay: Delay, count: int) -> Delay:
    """The same delay for so many choices of others."""
    return Delay(*delay.stop, steps(count))
