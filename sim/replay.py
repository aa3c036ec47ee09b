# SPDX-License-Identifier: MIT
"""Plays one run again and tells it: a schedule just found, or one out of a file.

Exactly, choice by choice, as long as every choice fits; by its named delays where the code has
changed. Knows no command and prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Generic, NamedTuple, Protocol, TypeVar

from sim.choices import Choice, Chooser, RecordingChooser, ReplayChooser, ScheduleDiverged
from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay, FaultAt
from sim.player import outcome
from sim.result import RunResult
from sim.schedule import Order, Schedule
from sim.setup import Lab, against
from sim.source_hashes import changed
from sim.summary import summarise
from sim.violation import Violation

EXACT = "exact"
BY_DELAYS = "by-delays"


class CannotReplay(Exception):
    """A schedule that cannot be played again here; one line that says why."""


class Recorded(Protocol):
    """One run of whatever was played, with the choices that were made."""

    @property
    def violation(self) -> Violation | None: ...

    @property
    def choices(self) -> tuple[Choice, ...]: ...


ARun = TypeVar("ARun", bound=Recorded)


class Played(NamedTuple):
    """One run, told, with the choices that were made. ``unplayed`` is a step of the scenario that
    came to nothing, which in this order is no mistake."""

    result: RunResult
    choices: tuple[Choice, ...]
    unplayed: str | None

    @property
    def violation(self) -> Violation | None:
        """What it ended in."""
        return self.result.violation


class Replay(NamedTuple, Generic[ARun]):
    """An order, played again.

    ``diverged_at`` is the first choice that no longer fits; ``changed`` names what is not as it was
    when the schedule was written. ``unmet`` are the delays that ended only because nothing else
    could go on: what they were to last until did not come. Of a driver that has been mended since,
    that is to be expected.
    """

    played: ARun
    mode: str
    diverged_at: int | None
    changed: tuple[str, ...]
    unmet: tuple[Delay, ...] = ()


def recorded(lab: Lab, chooser: Chooser, *, seed: int) -> Played:
    """One run by a chooser, with names and stacks. Raises what the chooser raises."""
    recorder = RecordingChooser(chooser, names=True)
    world = lab.world(recorder, stacks=True)
    verdict, unplayed = outcome(world)
    return Played(summarise(world, verdict, seed), tuple(recorder.choices), unplayed)


def replayed(schedule: Schedule) -> Replay[Played]:
    """Play a schedule again. Raises CannotReplay."""
    lab = Lab(schedule.setup)
    differ = changed(schedule.against, against(schedule.setup))
    return played_again(schedule, partial(recorded, lab, seed=schedule.seed), lambda: differ)


def played_again(
    order: Order, record: Callable[[Chooser], ARun], differ: Callable[[], tuple[str, ...]]
) -> Replay[ARun]:
    """Play an order again. ``record`` plays one run; ``differ`` names what is not as it was, and
    is asked once that has been run. Raises CannotReplay."""
    exact, diverged_at = _exactly(order, record)
    changes = differ()
    if not changes and (exact is None or exact.violation != order.violation):
        where = f"diverged at choice {diverged_at}" if exact is None else "ended otherwise"
        raise CannotReplay(
            f"{where} although the code has not changed; the file was edited, or the lab or a law"
            " of yours is not deterministic"
        )
    if exact is not None:
        return Replay(exact, EXACT, None, changes)
    played, unmet = _by_delays(order, record)
    return Replay(played, BY_DELAYS, diverged_at, changes, unmet)


def _exactly(order: Order, record: Callable[[Chooser], ARun]) -> tuple[ARun | None, int | None]:
    """The run choice by choice; or None and the choice at which it is another run."""
    try:
        played = record(ReplayChooser(order.choices))
    except ScheduleDiverged as diverged:
        return None, diverged.step
    made = len(played.choices)
    if made < len(order.choices):
        return None, made  # it ended before they were all made
    return played, None


def _by_delays(order: Order, record: Callable[[Chooser], ARun]) -> tuple[ARun, tuple[Delay, ...]]:
    """The run by the named delays, and those of them whose end did not come."""
    if not order.in_words:
        raise CannotReplay(
            "the code has changed, and this order could not be put into words; explore again"
        )
    chooser = DelayChooser(order.delays, order.faults)
    played = record(chooser)
    gone = [*map(_place, chooser.unapplied), *map(_moment, chooser.unapplied_faults)]
    if gone:
        found = played.violation
        ends = "clean" if found is None else f"in {found.kind}: {found.message}"
        raise CannotReplay(f"no longer applies: {'; '.join(gone)}; the run without ends {ends}")
    return played, chooser.unmet


def _place(delay: Delay) -> str:
    return f"the delay of {delay.context} at {delay.point!r}, time {delay.occurrence}"


def _moment(fault: FaultAt) -> str:
    return f"the fault {fault.fault} at {fault.at!r}, time {fault.occurrence}"
