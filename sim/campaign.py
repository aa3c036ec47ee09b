# SPDX-License-Identifier: MIT
"""Many schedules of one setup: plans go out, reports come in, each mistake is kept once.

Everything here happens in the order of the plans, whoever plays them, so that a result depends on
neither the number of processes nor their speed. Knows no strategy and no world.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter
from typing import Final, TypeAlias

import msgspec

from sim.closing import Closing, closing
from sim.distinct import Mistake, mistake_of
from sim.explore.strategy import LOST, Exhausted, Plan, RunReport, Strategy
from sim.workers import Lost, Run, WorkersDie

BATCH_PLANS: Final = 128  # enough to keep many workers busy, few enough to learn from soon
CHECKED_OF: Final = 100  # one schedule in so many is played twice
INTERRUPTED: Final = "interrupted"  # how Ctrl-C cuts a campaign short
LOST_REPORT: Final = RunReport(verdict=LOST, fingerprint=0, steps=0, choices=0)

PlayAll: TypeAlias = Run[Plan, RunReport]
Progress: TypeAlias = Callable[[int, int], None]  # schedules played, mistakes found


class Found(msgspec.Struct, frozen=True):
    """A mistake. ``number`` (from 1) and ``plan`` are of the first schedule that showed it;
    ``report`` is of the one with the fewest departures from natural order, to begin shrinking with.
    """

    number: int
    plan: Plan
    report: RunReport

    def shown_by(self, report: RunReport) -> Found:
        """The same mistake, once another schedule has shown it."""
        nearer = _departures(report) < _departures(self.report)
        return msgspec.structs.replace(self, report=report) if nearer else self


def _departures(report: RunReport) -> int:
    return sum(map(bool, report.decisions))


class Share(msgspec.Struct, frozen=True):
    """What one strategy played, and how many of these schedules failed."""

    name: str
    schedules: int
    hits: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a campaign. ``known`` are the open items that showed; ``unplayed`` counts the
    schedules in which a step of the scenario came to nothing; ``cut_short`` says what ended it
    before its end, if something did. Only ``seconds`` is wall clock."""

    found: tuple[Found, ...]
    shares: tuple[Share, ...]
    closing: Closing
    known: tuple[str, ...]
    unplayed: int
    seconds: float
    cut_short: str | None


class NotDeterministic(Exception):
    """One plan, played twice, came out in two ways; says which and how."""


class Tally:
    """What has come of the schedules so far. Its only writer is the campaign."""

    def __init__(self) -> None:
        self.given = 0
        self.drawn = 0
        self.lost = 0
        self.checks = 0
        self.unplayed = 0
        self.traces: Counter[int] = Counter()
        self.played: Counter[str] = Counter()
        self.hits: Counter[str] = Counter()
        self.known: set[str] = set()
        self.found: dict[Mistake, Found] = {}

    def add(self, plan: Plan, result: RunReport | Lost) -> None:
        """Count what came of the schedule that was given out next."""
        if isinstance(result, Lost):
            self.lost += 1
            return
        self.traces[result.fingerprint] += 1
        self.played[plan.strategy] += 1
        self.drawn += plan.drawn
        self.known.update(result.known)
        self.unplayed += result.unplayed is not None
        if result.violation is not None:
            self.hits[plan.strategy] += 1
            mistake = mistake_of(result.violation)
            found = self.found.setdefault(mistake, Found(self.given + 1, plan, result))
            self.found[mistake] = found.shown_by(result)

    def closing(self, exhausted: tuple[Exhausted, ...]) -> Closing:
        """What can be said so far."""
        return closing(
            self.traces,
            drawn=self.drawn,
            failed=self.hits.total(),
            lost=self.lost,
            determinism_checks=self.checks,
            exhausted=exhausted,
        )


def campaign(
    strategy: Strategy,
    run: PlayAll,
    *,
    schedules: int,
    progress: Progress = lambda _done, _found: None,
) -> Result:
    """Play at most so many schedules of a strategy; fewer if it has none left, or at Ctrl-C.

    Raises NotDeterministic, and what ``run`` raises; WorkersDie only if nothing was found so far.
    """
    tally = Tally()
    began = perf_counter()
    cut_short = _played(strategy, run, tally, schedules, progress)
    return Result(
        found=tuple(tally.found.values()),
        shares=tuple(Share(n, count, tally.hits[n]) for n, count in tally.played.items()),
        closing=tally.closing(strategy.exhausted),
        known=tuple(sorted(tally.known)),
        unplayed=tally.unplayed,
        seconds=perf_counter() - began,
        cut_short=cut_short,
    )


def _played(
    strategy: Strategy, run: PlayAll, tally: Tally, schedules: int, progress: Progress
) -> str | None:
    """Play batch after batch; says what ended that before its end, if something did."""
    try:
        while tally.given < schedules:
            plans = strategy.plans(min(BATCH_PLANS, schedules - tally.given))
            if not plans:
                break
            for plan, report in _batch(plans, run, tally, progress):
                strategy.learn(plan, report)
    except KeyboardInterrupt:
        return INTERRUPTED
    except WorkersDie as error:
        if not tally.found:
            raise
        return str(error)
    return None


def _batch(
    plans: Sequence[Plan], run: PlayAll, tally: Tally, progress: Progress
) -> Iterator[tuple[Plan, RunReport]]:
    """Play one batch; what an interruption leaves undone does not count, the rest does."""
    twice = [at for at in range(len(plans)) if (tally.given + at) % CHECKED_OF == 0]
    results: dict[int, RunReport | Lost] = {}
    try:
        for place, result in run([*plans, *(plans[at] for at in twice)]):
            results[place] = result
            progress(tally.given + min(len(results), len(plans)), len(tally.found))
    finally:
        first = tally.given
        for place, plan in enumerate(plans):
            if place in results:
                tally.add(plan, results[place])
            tally.given += 1
    for place, at in enumerate(twice, len(plans)):
        _compare(plans[at], first + at + 1, results[at], results[place])
    tally.checks += len(twice)
    for place, plan in enumerate(plans):
        report = results[place]
        yield plan, LOST_REPORT if isinstance(report, Lost) else report


def _compare(plan: Plan, number: int, one: RunReport | Lost, other: RunReport | Lost) -> None:
    if one == other or isinstance(one, Lost) or isinstance(other, Lost):
        return
    fields = RunReport.__struct_fields__
    differ = ", ".join(name for name in fields if getattr(one, name) != getattr(other, name))
    raise NotDeterministic(
        f"schedule {number} ({plan.strategy}), played twice, came out with another {differ}"
    )
