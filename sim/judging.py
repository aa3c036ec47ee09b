# SPDX-License-Identifier: MIT
"""The verdict on a world that has been played: its faults, its laws, what it lost, its story.

Reads what a run left behind and changes nothing of it. Knows no chooser and plays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from guest.kernel.faults import GuestFault
from sim.actors import NeverHappened, StepRefused
from sim.bounds import Stuck
from sim.engine import Engine
from sim.fault_events import FaultInjected
from sim.oracles.ending import judge_ending
from sim.oracles.judge import END, Happened, Judgement, judge
from sim.oracles.known import recognise
from sim.oracles.law import LawFactory
from sim.oracles.leaks import judge_leaks
from sim.oracles.signatures import SIGNATURES
from sim.oracles.stuck import judge_stuck, judge_waiting
from sim.recorder import Reading, Recorder, judge_fault
from sim.result import Verdict
from sim.scenario import Scenario, Step, Wait
from sim.violation import Leak, Violation


class Played(Protocol):
    """An actor, as far as it matters once the run is over: see :class:`sim.actors.Actor`."""

    @property
    def at(self) -> Step | None: ...

    @property
    def refused(self) -> StepRefused | None: ...


class Ended(NamedTuple):
    """A run that is over.

    ``violation`` is what ended it early, or what shows in those who still wait. ``natural`` says
    that nobody chose the order; ``census`` counts what is lost, and is asked only of a whole run.
    ``recorder`` is there if violations are to be told with stacks.
    """

    scenario: Scenario
    happened: Sequence[Happened]
    at_ns: int
    violation: Violation | None
    actors: Sequence[Played]
    census: Callable[[], tuple[Leak, ...]]
    natural: bool
    recorder: Recorder | None


def judge_run(run: Ended, laws: Sequence[LawFactory]) -> Verdict:
    """The verdict.

    Raises :class:`UnplayedStep` for a step that came to nothing, if nothing else was found: a
    wait whose event never came; in natural order, what the host could not do.
    """
    judgement = _judge_laws(run, laws)
    violation = run.violation or judgement.violation
    items = recognise(run.scenario.expect.known, run.happened, SIGNATURES)
    known = items.explaining(violation) if violation else set()
    if known:  # which ended the run early, so that nothing else follows from its end
        return Verdict("known", None, tuple(sorted(known)), (), explained=violation)
    leaks = () if violation else items.excuse(run.census())
    violation = violation or _judge_leaks(run, leaks)
    if violation is None:
        _check_actors(run)
        events = (event for _, _, event in run.happened)
        violation = judge_ending(run.scenario, events, run.at_ns)
    known = {*judgement.known, *items.showing(), *(leak.known for leak in leaks if leak.known)}
    verdict = "violation" if violation else "known" if known else "clean"
    return Verdict(verdict, violation, tuple(sorted(known)), leaks)


def judge_error(
    error: Exception, engine: Engine, whose: tuple[str, int], recorder: Recorder | None
) -> Violation:
    """The violation of what ended a run: a fault of the guest, the protocol's rules, no progress.

    ``whose`` gives the label of who was running and the time.
    """
    if isinstance(error, Stuck):
        return judge_stuck(str(error), error.context, engine.waiting(), engine.now_ns())
    kind, law = "protocol", "the protocol"
    if isinstance(error, GuestFault):
        kind, law = error.kind, "the kernel's own rules"
    return judge_fault(error, kind=kind, law=law, whose=whose, recorder=recorder)


def judge_standstill(engine: Engine) -> Violation | None:
    """The violation of those who still wait when nothing can happen any more, if there are any."""
    return judge_waiting(engine.waiting(), engine.now_ns())


def _judge_laws(run: Ended, laws: Sequence[LawFactory]) -> Judgement:
    """What the laws say; a run that a fault ended is no whole one."""
    reading = run.happened if run.recorder is None else Reading(run.happened)
    judgement = judge(
        reading,
        None if run.violation else run.at_ns,
        laws=laws,
        may_show=run.scenario.expect.known,
    )
    violation = judgement.violation
    if violation is None or run.recorder is None or violation.context == END:
        return judgement
    assert isinstance(reading, Reading), "what is recorded is read so"
    return judgement._replace(violation=run.recorder.with_event(violation, reading.index))


def _judge_leaks(run: Ended, leaks: tuple[Leak, ...]) -> Violation | None:
    violation = judge_leaks(leaks, run.at_ns)
    if violation is None or run.recorder is None:
        return violation
    return run.recorder.with_leaks(violation, leaks)


def _check_actors(run: Ended) -> None:
    """A wait that never came true is a mistake of the scenario, as is a step out of turn.

    Not so after a fault: what was to come of it may well not come.
    """
    for actor in run.actors:
        if actor.refused is not None and run.natural:
            raise actor.refused
        if isinstance(actor.at, Wait) and not _faulty(run):
            raise NeverHappened(actor.at.path, actor.at.event)


def _faulty(run: Ended) -> bool:
    return any(isinstance(event, FaultInjected) for _, _, event in run.happened)
