# SPDX-License-Identifier: MIT
"""Plays plans, one after another, in one process, and reports what came of each.

A worker has one of these. Knows no strategy: a report goes back to whoever sent the plan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from sim.actors import UnplayedStep
from sim.choices import Chooser, RecordingChooser
from sim.explore.strategy import Brancher, Plan, RunReport
from sim.result import Verdict
from sim.setup import Lab, Setup
from sim.world import World

CLEAN: Final = Verdict("clean", None, (), ())


class Ending(NamedTuple):
    """How one run by a chooser ended, whatever it was that was played.

    ``fingerprint`` and ``unplayed`` are as :class:`RunReport` has them.
    """

    verdict: Verdict
    unplayed: str | None
    fingerprint: int
    steps: int


class Player:
    """Called with a plan, plays it in a world of its own.

    The real driver's plans are played without one where that is known to come to the same.
    """

    def __init__(self, setup: Setup, lab: Lab | None = None, *, memory: str | None = None) -> None:
        """``lab`` is the setup's, if it is to be made in another way than usual.

        ``memory`` is the file in which players in other processes remember the same setup's host.
        """
        self._lab = lab or Lab(setup)
        model = setup.driver == "model"
        self._play = self._in_a_world if model else _quick(self._lab, memory)

    def __call__(self, plan: Plan) -> RunReport:
        return self._play(plan)

    def _in_a_world(self, plan: Plan) -> RunReport:
        return played(plan, self._lab.world)


def _quick(lab: Lab, memory: str | None) -> Callable[[Plan], RunReport]:
    from sim.quick import QuickPlayer  # ctypes' matters

    return QuickPlayer(lab, memory)


def played(plan: Plan, make: Callable[[Chooser], World]) -> RunReport:
    """The report on a plan, played in the world that ``make`` makes for a chooser."""

    def play(chooser: Chooser) -> Ending:
        world = make(chooser)
        verdict, unplayed = outcome(world)
        return Ending(verdict, unplayed, world.fingerprint, world.engine.steps)

    return reported(plan, play)


def reported(plan: Plan, play: Callable[[Chooser], Ending]) -> RunReport:
    """The report on a plan, of which ``play`` plays one run."""
    chooser = plan.chooser()
    recorder = RecordingChooser(chooser)
    ending = play(recorder)
    violation = ending.verdict.violation
    return RunReport(
        verdict=ending.verdict.verdict,
        fingerprint=ending.fingerprint,
        steps=ending.steps,
        choices=len(recorder.decisions),
        violation=violation,
        known=ending.verdict.known,
        decisions=tuple(recorder.decisions) if violation else (),
        branches=chooser.branches() if isinstance(chooser, Brancher) else (),
        unplayed=ending.unplayed,
    )


def outcome(world: World) -> tuple[Verdict, str | None]:
    """How a world ends, and which step of the scenario came to nothing, if one did.

    In another order than the natural one that is no mistake of the scenario.
    """
    try:
        return world.run(), None
    except UnplayedStep as error:
        return CLEAN, str(error)
