# SPDX-License-Identifier: MIT
"""Plays plans on the real driver without Python, as far as the library knows what would come.

A plan that it has a chooser for is played in C; where something comes up that was never seen, the
same plan is played by a world, which has it remembered. Each stream of events is judged once.
Reports are the same as those of :class:`sim.player.Player`, only sooner.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

from guest.native.known import HERE_ALONE, Known
from guest.native.known import Plan as PlanInC
from sim.actors import UnplayedStep
from sim.choices import Chooser
from sim.collector import seldom
from sim.explore.strategy import Plan, RunReport
from sim.fingerprint import fingerprint
from sim.guests import NativeGuests
from sim.judging import Ended, judge_run
from sim.oracles.leaks import leaks_of
from sim.plans_in_c import IN_C, told_by
from sim.player import CLEAN, played
from sim.remembering import RememberingEngine
from sim.remembering_guests import RememberingGuests
from sim.retelling import Retelling, Waiter
from sim.scenario import Scenario
from sim.setup import Lab
from sim.verdicts import Ran, Verdicts
from sim.world import World

# A story in which something cannot be remembered comes to it in every order; to learn costs time.
VAIN_MAX: Final = 8
ALWAYS_WORTH_IT: Final = -1


class QuickPlayer:
    """Plays plans of one setup. ``crossings`` counts the runs that Python played."""

    def __init__(self, lab: Lab, memory: str | None = None) -> None:
        """``memory`` is the file where others have what they remember of the same setup."""
        assert isinstance(lab.guests, NativeGuests), "only the real driver can be played without us"
        self._lab = lab
        self._file = HERE_ALONE if memory is None else os.open(memory, os.O_RDWR)
        self._library = lab.guests.library
        self._known: Known | None = None
        self._retelling: Retelling
        self._scenario: Scenario | None = None  # as it is played; None until it was, once
        self._verdicts: Verdicts
        self._vain = 0  # runs that could not be remembered; not counted once one could
        self.crossings = 0

    def __call__(self, plan: Plan) -> RunReport:
        """What came of it. Raises MemoryError where the library finds no room."""
        if self._vain == VAIN_MAX:
            self.crossings += 1
            return played(plan, self._lab.world)
        known = self._ready()
        in_c = IN_C[type(plan)](plan) if type(plan) in IN_C else None
        report = None if in_c is None else self._in_c(known, plan, in_c)
        return report or self._by_python(known, plan)

    def _ready(self) -> Known:
        """What the library knows of this setup: nothing, once it was another's in between."""
        library = self._library()
        if self._known is None or library.ready_for is not self._known:
            self._known = Known(library, self._file)
            self._retelling = Retelling(self._known)
            self._verdicts = Verdicts(self._known, times_count=bool(self._lab.setup.laws))
            self._scenario = None
        return self._known

    def _in_c(self, known: Known, plan: Plan, in_c: PlanInC) -> RunReport | None:
        """Played in C; None where it cannot be."""
        scenario = self._scenario
        if scenario is None or known.contradicted or not known.play(in_c, self._lab.setup.lates):
            return None
        row = known.report
        run = Ran(row.stream, row.times, row.latest, row.at_ns)
        judged = self._verdicts.find(run)
        if judged is None:
            judged = self._judge(run, scenario)
            self._verdicts.keep(run, judged)
        return msgspec.structs.replace(
            judged,
            steps=row.steps,
            choices=row.choices,
            decisions=known.decisions() if judged.violation else (),
            branches=told_by(plan, known),
        )

    def _judge(self, run: Ran, scenario: Scenario) -> RunReport:
        """The report on the run that was just played in C, but for its choices."""
        happened, ending = self._retelling.run()
        verdict, unplayed = CLEAN, None
        ended = Ended(
            scenario=scenario,
            happened=happened,
            at_ns=run.at_ns,
            violation=None,
            actors=[Waiter(wait) for wait in ending.waits],
            census=lambda: leaks_of(self._library().left(ending.held_relids)),
            natural=False,
            recorder=None,
        )
        try:
            with seldom():
                verdict = judge_run(ended, self._lab.laws)
        except UnplayedStep as error:
            unplayed = str(error)
        return RunReport(
            verdict=verdict.verdict,
            fingerprint=fingerprint(happened),
            steps=0,
            choices=0,
            violation=verdict.violation,
            known=verdict.known,
            unplayed=unplayed,
        )

    def _by_python(self, known: Known, plan: Plan) -> RunReport:
        self.crossings += 1

        def world(chooser: Chooser) -> World:
            engine = RememberingEngine(known, chooser, lates=self._lab.setup.lates)
            guests = RememberingGuests(self._library, known)
            world = self._lab.world(chooser, guests=guests, engine=engine)
            engine.remember(world)
            self._scenario = world.scenario
            return world

        report = played(plan, world)
        self._vain += self._vain >= 0
        if known.whole:
            self._vain = ALWAYS_WORTH_IT
            run = Ran(known.stream, known.times, known.latest, known.at_ns)
            self._verdicts.keep(run, msgspec.structs.replace(report, branches=()))
        return report
