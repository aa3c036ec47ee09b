# SPDX-License-Identifier: MIT
"""Plays plans on the real driver without Python, as far as the library knows what would come.

A plan that it has a chooser for is played in C; where something comes up that was never seen, the
same plan is played by a world, which has it remembered. Each row of events is judged once. Reports
are the same as those of :class:`sim.player.Player`, only sooner.
"""

from __future__ import annotations

from typing import Final

import msgspec

from guest.native.known import Known
from guest.native.known import Plan as PlanInC
from sim.choices import Chooser
from sim.explore.strategy import Plan, RunReport
from sim.guests import NativeGuests
from sim.plans_in_c import IN_C, told_by
from sim.player import played
from sim.remembering import RememberingEngine, RememberingGuests
from sim.setup import Lab
from sim.world import World

# The laws count nothing shorter (interrupts_arrive.PATIENCE_NS is the shortest). So of runs that
# are shorter, one verdict holds for all that have the same events, whenever these came.
PATIENCE_NS: Final = 30 * 10**9

Key = int | tuple[int, int]  # a row of inputs, by the library's number; and a digest of their times


class QuickPlayer:
    """Plays plans of one setup. ``crossings`` counts the runs that Python played."""

    def __init__(self, lab: Lab) -> None:
        assert isinstance(lab.guests, NativeGuests), "only the real driver can be played without us"
        self._lab = lab
        self._library = lab.guests.library
        self._known: Known | None = None
        self._judged: dict[Key, RunReport] = {}
        self.crossings = 0

    def __call__(self, plan: Plan) -> RunReport:
        """What came of it. Raises MemoryError where the library finds no room."""
        known = self._ready()
        in_c = IN_C[type(plan)](plan) if type(plan) in IN_C else None
        report = None if in_c is None else self._in_c(known, plan, in_c)
        return report or self._by_python(known, plan)

    def _ready(self) -> Known:
        """What the library knows of this setup: nothing, once it was another's in between."""
        library = self._library()
        if self._known is None or library.ready_for is not self._known:
            self._known = Known(library)
            self._judged.clear()
        return self._known

    def _in_c(self, known: Known, plan: Plan, in_c: PlanInC) -> RunReport | None:
        """Played in C; None where it cannot be."""
        if known.contradicted or not self._judged or not known.play(in_c, self._lab.setup.lates):
            return None
        row = known.report
        judged = self._judged.get(row.node) if row.at_ns < PATIENCE_NS else None
        judged = judged or self._judged.get((row.node, row.times))
        if judged is None:
            return None
        return msgspec.structs.replace(
            judged,
            steps=row.steps,
            choices=row.choices,
            decisions=known.decisions() if judged.violation else (),
            branches=told_by(plan, row),
        )

    def _by_python(self, known: Known, plan: Plan) -> RunReport:
        self.crossings += 1

        def world(chooser: Chooser) -> World:
            engine = RememberingEngine(known, chooser, lates=self._lab.setup.lates)
            guests = RememberingGuests(self._library, known)
            return self._lab.world(chooser, guests=guests, engine=engine)

        report = played(plan, world)
        if known.whole:
            timeless = report.violation is None and known.at_ns < PATIENCE_NS
            key = known.node if timeless and not self._lab.setup.laws else (known.node, known.times)
            self._judged[key] = msgspec.structs.replace(report, branches=())
        return report
