# SPDX-License-Identifier: MIT
"""Explores a test's body as ``vpcisim explore`` does a scenario, and keeps what fails.

Knows neither pytest's hooks nor what is printed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, TypeAlias

from msgspec.structs import replace

from sim.campaign import INTERRUPTED, Found, NotDeterministic, PlayAll, Result, campaign
from sim.choices import Chooser, DecisionChooser, ScheduleDiverged
from sim.explore.named import NATURAL
from sim.explore.profile import baseline_of
from sim.explore.shrink import DoesNotFail, shrink_order
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Exhausted, Plan, RunReport, Strategy
from sim.keeping import again, saved, worded
from sim.report.progress import progress_of
from sim.testing.body import Body
from sim.testing.fixture import Attempt
from sim.testing.refused import Refused
from sim.testing.schedule import BodySchedule
from sim.testing.wanted import Wanted

AtWork: TypeAlias = Callable[[], AbstractContextManager[PlayAll]]


class UntilFound:
    """Another strategy's plans until one of them has failed: a test is mended before it goes on.

    The plans of a batch are all played, so that the end does not depend on who was first.
    """

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self._found = False

    @property
    def name(self) -> str:
        return self._strategy.name

    @property
    def exhausted(self) -> tuple[Exhausted, ...]:
        return self._strategy.exhausted

    def plans(self, most: int) -> list[Plan]:
        return [] if self._found else self._strategy.plans(most)

    def learn(self, plan: Plan, report: RunReport) -> None:
        self._found |= report.violation is not None
        self._strategy.learn(plan, report)


class Kept(NamedTuple):
    """An order in which the body fails, what it raises in it, and where its file is.

    ``found`` is None for natural order, which comes before all schedules. ``unwritten`` says why
    there is no file, where there is none.
    """

    found: Found | None
    schedule: BodySchedule
    failure: BaseException
    file: Path | None
    unwritten: str | None


class Explored(NamedTuple):
    """What came of exploring: what was found, in the order of the schedules; the first made short.

    ``interrupted`` says that Ctrl-C ended it; what was found is then as it was found.
    """

    kept: tuple[Kept, ...]
    interrupted: bool


def explored(body: Body, wanted: Wanted, at_work: AtWork, *, test: str, folder: Path) -> Explored:
    """Play the body in many orders until one fails; ``test`` is its node id.

    Raises Refused for a body that runs no world or does not make the same choices again,
    WorkersDie, and what the body raises that is no failure.
    """
    keeping = _Keeping(body, test, wanted.seed, folder)
    try:
        attempt, failure = body.attempted(Attempt())
        if failure is not None:
            return Explored((keeping.natural(),), interrupted=False)
        if not attempt.worlds:
            raise Refused("its body runs no world; call vpci.run in it, or take the marker off")
        return _all_kept(keeping, _campaign(body, wanted, at_work))
    except (NotDeterministic, ScheduleDiverged) as error:
        raise Refused(
            f"the body does not make the same choices again: {error}; let it keep nothing from one"
            " run to the next, and draw nothing by lot"
        ) from None


def _campaign(body: Body, wanted: Wanted, at_work: AtWork) -> Result:
    strategy = UntilFound(STRATEGIES[wanted.strategy](baseline_of(body), wanted.seed))
    with progress_of("exploring", wanted.schedules) as progress, at_work() as run:
        return campaign(strategy, run, schedules=wanted.schedules, progress=progress)


def _all_kept(keeping: _Keeping, result: Result) -> Explored:
    interrupted = result.cut_short == INTERRUPTED
    kept: list[Kept] = []
    for found in result.found:
        short = not kept and not interrupted
        try:
            kept.append(keeping.short(found) if short else keeping.as_found(found))
        except KeyboardInterrupt:
            interrupted = True
            kept.append(keeping.as_found(found))
    return Explored(tuple(kept), interrupted)


class _Keeping:
    """From a mistake to its file; a run more, or hundreds. Raises NotDeterministic."""

    def __init__(self, body: Body, test: str, seed: int, folder: Path) -> None:
        self._body = body
        self._test = test
        self._seed = seed
        self._folder = folder
        self._failure: BaseException | None = None

    def natural(self) -> Kept:
        """By natural order."""
        try:
            return self._kept(None, self._record(NATURAL.chooser()))
        except DoesNotFail:
            told = "natural order failed in a way that did not come again"
            raise NotDeterministic(told) from None

    def short(self, found: Found) -> Kept:
        """By its shortest order; as it was found if that cannot be put into words."""
        with again(found):
            story = shrink_order(self._body, found.report.decisions)
        if story is None:
            return self.as_found(found)
        with again(found):
            return self._kept(found, worded(story, self._record))

    def as_found(self, found: Found) -> Kept:
        """By the order it was found in."""
        with again(found):
            schedule = self._record(DecisionChooser(found.report.decisions))
        return self._kept(found, replace(schedule, in_words=False))

    def _record(self, chooser: Chooser) -> BodySchedule:
        """A schedule, yet without words, of one attempt, which fails."""
        recorded = self._body.recorded(chooser)
        if recorded.violation is None:
            raise DoesNotFail
        self._failure = recorded.failure
        return BodySchedule(
            test=self._test,
            violation=recorded.violation,
            seed=self._seed,
            against=self._body.against(),
            choices_made=len(recorded.choices),
            choices=recorded.choices,
        )

    def _kept(self, found: Found | None, schedule: BodySchedule) -> Kept:
        assert self._failure is not None, "it was recorded"
        try:
            file, unwritten = saved(schedule, self._folder), None
        except OSError as error:
            file, unwritten = None, f"{self._folder}: {error.strerror or error}"
        return Kept(found, schedule, self._failure, file, unwritten)
