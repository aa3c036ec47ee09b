# SPDX-License-Identifier: MIT
"""The port of the strategies: plans out, reports in. Knows neither worlds nor processes.

A strategy hands out plans, each the plain data of one schedule, and learns what came of them. Both
happen in the order of the plans, in batches whose size does not depend on how many processes play
them, so that a campaign's result does not either.
"""

from __future__ import annotations

from typing import ClassVar, Final, Protocol, runtime_checkable

import msgspec

from sim.choices import Chooser, SplitMix64
from sim.violation import Violation

LOST: Final = "lost"  # the verdict of a schedule whose worker died


class Plan(msgspec.Struct, frozen=True, tag=True):
    """One schedule to play: plain data that another process can be sent.

    ``strategy`` is the name under which it is counted.
    """

    strategy: ClassVar[str]

    @property
    def drawn(self) -> bool:
        """Whether it was drawn by lot, so that it stands for others that could have been."""
        return True

    def chooser(self) -> Chooser:
        """A new chooser for one run."""
        raise NotImplementedError


@runtime_checkable
class Brancher(Chooser, Protocol):
    """A chooser that can tell after its run which schedules branch off from it."""

    def branches(self) -> tuple[Plan, ...]:
        """What to play next, if the strategy likes; goes into the report."""


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one plan.

    ``fingerprint`` hashes the stream of events; equal ones are equal runs. ``choices`` counts the
    moments at which there was a choice. ``decisions`` are the indices chosen, of a failure only.
    ``branches`` are what a :class:`Brancher` told. ``unplayed`` says which step of the scenario
    came to nothing, if one did.
    """

    verdict: str
    fingerprint: int
    steps: int
    choices: int
    violation: Violation | None = None
    known: tuple[str, ...] = ()
    decisions: tuple[int, ...] = ()
    branches: tuple[Plan, ...] = ()
    unplayed: str | None = None


class Exhausted(msgspec.Struct, frozen=True):
    """A bound within which every schedule was played; ``bound`` is for the closing statement.

    ``complete`` says that no order lies beyond it.
    """

    bound: str
    schedules: int
    complete: bool = False


class Strategy(Protocol):
    """Where schedules come from; the same seed gives the same ones.

    Every plan of a batch is learnt before the next batch is asked for.
    """

    @property
    def name(self) -> str: ...

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        """The bounds that are exhausted so far."""

    def plans(self, most: int) -> list[Plan]:
        """The next batch, at most so many; none when there is nothing left to try."""

    def learn(self, plan: Plan, report: RunReport) -> None:
        """A plan was played. Called once for each plan, in the order they were given out."""


def dice(name: str, seed: int) -> SplitMix64:
    """The random numbers of the strategy of that name: no two strategies draw the same."""
    return SplitMix64(seed ^ int.from_bytes(name.encode()[:8], "big"))
