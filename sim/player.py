# SPDX-License-Identifier: MIT
"""Plays plans, one after another, in one process, and reports what came of each.

A worker has one of these. Knows no strategy: a report goes back to whoever sent the plan.
"""

from __future__ import annotations

from typing import Final

from sim.actors import UnplayedStep
from sim.choices import RecordingChooser
from sim.explore.strategy import Brancher, Plan, RunReport
from sim.result import Verdict
from sim.setup import Lab, Setup
from sim.world import World

CLEAN: Final = Verdict("clean", None, (), ())


class Player:
    """Called with a plan, plays it in a world of its own."""

    def __init__(self, setup: Setup) -> None:
        self._lab = Lab(setup)

    def __call__(self, plan: Plan) -> RunReport:
        chooser = plan.chooser()
        recorder = RecordingChooser(chooser)
        world = self._lab.world(recorder)
        verdict, unplayed = outcome(world)
        return RunReport(
            verdict=verdict.verdict,
            fingerprint=world.fingerprint,
            steps=world.engine.steps,
            choices=len(recorder.decisions),
            violation=verdict.violation,
            known=verdict.known,
            decisions=tuple(recorder.decisions) if verdict.violation else (),
            branches=chooser.branches() if isinstance(chooser, Brancher) else (),
            unplayed=unplayed,
        )


def outcome(world: World) -> tuple[Verdict, str | None]:
    """How a world ends, and which step of the scenario came to nothing, if one did.

    In another order than the natural one that is no mistake of the scenario.
    """
    try:
        return world.run(), None
    except UnplayedStep as error:
        return CLEAN, str(error)
