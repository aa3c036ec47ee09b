# SPDX-License-Identifier: MIT
"""One schedule that is known already: by its choices, or by its named delays."""

from __future__ import annotations

from typing import ClassVar

from sim.choices import Choice, Chooser, ReplayChooser
from sim.explore.delays import Delay, DelayChooser, FaultAt
from sim.explore.strategy import Exhausted, Plan, RunReport


class ReplayPlan(Plan, frozen=True):
    """Exactly these choices. The run raises ScheduleDiverged where it has others."""

    strategy: ClassVar[str] = "replay"
    choices: tuple[Choice, ...]

    def chooser(self) -> Chooser:
        return ReplayChooser(self.choices)


class NamedPlan(Plan, frozen=True):
    """Natural order but for these delays and faults."""

    strategy: ClassVar[str] = "replay"
    delays: tuple[Delay, ...]
    faults: tuple[FaultAt, ...] = ()

    def chooser(self) -> DelayChooser:
        return DelayChooser(self.delays, self.faults)


class Replay:
    """A strategy of these plans and no others."""

    name = "replay"

    def __init__(self, *plans: Plan) -> None:
        self._plans = list(plans)
        self._given = 0
        self._learned = 0

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """That all were played, once they were."""
        done = self._learned == len(self._plans)
        return (Exhausted("the schedules given", self._learned),) if done else ()

    def plans(self, most: int) -> list[Plan]:
        """The next of those given."""
        batch = self._plans[self._given : self._given + most]
        self._given += len(batch)
        return batch

    def learn(self, plan: Plan, report: RunReport) -> None:  # noqa: ARG002 - the port has them
        """One was played."""
        self._learned += 1
