# SPDX-License-Identifier: MIT
"""Playing plans on a real driver that counts which of its lines it runs, and what was counted."""

from __future__ import annotations

from pathlib import Path

from guest.native.coverage import COUNTING, Counters, Coverage, read_counts
from sim.explore.strategy import Plan, RunReport
from sim.guests import NativeGuests
from sim.native import built
from sim.player import Player
from sim.setup import Lab, Setup


class CountingPlayer:
    """A :class:`Player` that adds what each plan has run to the counts in a folder.

    After each, since a worker may be ended at any time.
    """

    def __init__(self, setup: Setup, counts: Path) -> None:
        lab = Lab(setup, driver_flags=COUNTING)
        assert isinstance(lab.guests, NativeGuests), "the model has no lines of Linux to count"
        self._play = Player(setup, lab)
        self._counters = Counters(lab.guests.library, counts)

    def __call__(self, plan: Plan) -> RunReport:
        report = self._play(plan)
        self._counters.write()
        return report


def counted(setup: Setup, counts: Path) -> Coverage:
    """What all players of a setup have run of its driver. Raises BuildError."""
    build = built(setup.tree, setup.driver_file, setup.defects, COUNTING)
    return read_counts(counts, build.driver_object, build.driver_file)
