# SPDX-License-Identifier: MIT
"""From a mistake that was found to a schedule file that shows it for ever.

Knows neither the strategy that found it nor the command that prints it.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import msgspec

from sim.campaign import Found, NotDeterministic
from sim.choices import Chooser, DecisionChooser, ReplayChooser, ScheduleDiverged
from sim.distinct import mistake_of
from sim.explore.explain import Explanation, explained
from sim.explore.named import Named
from sim.explore.places import PlaceWatcher
from sim.explore.shrink import DoesNotFail, Story, shrink
from sim.player import outcome
from sim.replay import recorded
from sim.schedule import AnOrder, Order, Schedule, schedule_text, write_schedule
from sim.setup import Lab, Setup, against


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A mistake with the schedule that shows it.

    ``file`` is where it was written; None where it could not be, with the reason in ``unwritten``.
    ``explanation`` is there if it was asked for.
    """

    found: Found
    schedule: Schedule
    explanation: Explanation | None = None
    file: str | None = None
    unwritten: str | None = None

    @property
    def replay(self) -> str | None:
        """The command to paste."""
        if self.file is None:
            return None
        laws = (word for law in self.schedule.setup.laws for word in ("--law", law))
        return shlex.join(("vpcisim", "replay", self.file, *laws))


def as_found(setup: Setup, found: Found, *, seed: int) -> Kept:
    """The schedule as it was found: one run more, for names and stacks. Raises NotDeterministic."""
    with again(found):
        schedule = _recorded(setup, DecisionChooser(found.report.decisions), seed=seed)
    return Kept(found=found, schedule=msgspec.structs.replace(schedule, in_words=False))


def shortened(setup: Setup, found: Found, *, seed: int) -> Kept:
    """The shortest schedule that shows the mistake: hundreds of runs; as it was found if it cannot
    be put into words. Raises NotDeterministic."""
    with again(found):
        shrunk = shrink(setup, found.report.decisions)
    if shrunk is None:
        return as_found(setup, found, seed=seed)
    with again(found):
        schedule = worded(shrunk, partial(_recorded, shrunk.setup, seed=seed))
    return Kept(found=found, schedule=schedule)


def worded(story: Story, record: Callable[[Chooser], AnOrder]) -> AnOrder:
    """The schedule of a story, which is recorded once more, in the story's words."""
    watcher = PlaceWatcher(ReplayChooser(story.choices), (d.stop for d in story.delays))
    order = record(watcher)
    twin = story.passing_twin
    return msgspec.structs.replace(
        order,
        delays=watcher.placed(Named(story.delays)).delays,
        faults=story.faults,
        passing_twin=None if twin is None else watcher.placed(twin),
    )


def explaining(kept: Kept) -> Kept:
    """The same with the chance of failure over the schedule's prefixes: hundreds of runs."""
    schedule = kept.schedule
    lab, mistake = Lab(schedule.setup), mistake_of(schedule.violation)

    def fails(chooser: Chooser) -> bool:
        violation = outcome(lab.world(chooser))[0].violation
        return violation is not None and mistake_of(violation) == mistake

    explanation = explained(fails, schedule.choices, seed=schedule.seed)
    return msgspec.structs.replace(kept, explanation=explanation)


@contextmanager
def again(found: Found) -> Iterator[None]:
    """What failed once fails whenever it is played. Raises NotDeterministic where it does not."""
    try:
        yield
    except (DoesNotFail, ScheduleDiverged):
        raise NotDeterministic(
            f"schedule {found.number} ({found.plan.strategy}) failed in a way that did not come"
            " again"
        ) from None


def _recorded(setup: Setup, chooser: Chooser, *, seed: int) -> Schedule:
    """A failing run as a schedule, yet without words. Raises DoesNotFail and ScheduleDiverged."""
    played = recorded(Lab(setup), chooser, seed=seed)
    violation = played.result.violation
    if violation is None:
        raise DoesNotFail
    return Schedule(
        scenario=played.result.scenario,
        violation=violation,
        seed=seed,
        setup=setup,
        against=against(setup),
        choices_made=len(played.choices),
        choices=played.choices,
    )


def written(kept: Kept, folder: Path) -> Kept:
    """Write the schedule's file into the folder; what hinders that is told in ``unwritten``."""
    try:
        return msgspec.structs.replace(kept, file=str(saved(kept.schedule, folder)))
    except OSError as error:
        file = folder / file_name(kept.schedule)
        return msgspec.structs.replace(kept, unwritten=f"{file}: {error.strerror or error}")


def saved(order: Order, folder: Path) -> Path:
    """Write an order's file into the folder, which is made if need be. Raises OSError.

    The same order has the same name, so that exploring again adds nothing.
    """
    file = folder / file_name(order)
    folder.mkdir(parents=True, exist_ok=True)
    write_schedule(file, order)
    return file


def file_name(order: Order) -> str:
    """What was played, the kind of violation, and what tells it from others of that kind."""
    digest = hashlib.sha256(schedule_text(order).encode()).hexdigest()[:8]
    return f"{order.story}-{order.violation.kind}-{digest}.json"
