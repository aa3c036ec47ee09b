# SPDX-License-Identifier: MIT
"""What a test's ``vpci`` is: runs worlds, in the order that is being tried. Imports no laboratory.

Who tries orders begins an :class:`Attempt`; every world of the body is then played by its chooser.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from sim.testing.refused import Refused
from sim.testing.story import Story
from sim.testing.told import Run, Violated

if TYPE_CHECKING:
    from typing import Unpack

    from sim.choices import Chooser, ScheduleDiverged
    from sim.oracles.law import LawFactory
    from sim.setup import Lab, Setup
    from sim.testing.asked import Asked
    from sim.world import World


class Options(TypedDict, total=False):
    """How a world is to be; what is left out is as in the scenario, with the model of the driver.

    ``protocol`` is the only version that the guest offers (None: those of the scenario, also where
    the test has a version). ``knobs`` are the host's, besides the scenario's. ``defects`` are ids
    that ``vpcisim races`` lists, ``faults`` what may go wrong once. ``laws`` are law classes, or
    files that define LAWS. ``driver`` is ``model`` or ``kernel``, which needs ``tree`` and takes
    ``driver_file`` and ``data_races``. Paths are relative to the test's file.
    """

    protocol: str | None
    profile: str
    knobs: Mapping[str, Any]
    device: str | Path
    defects: Sequence[str]
    faults: Sequence[str]
    laws: Sequence[str | Path | LawFactory]
    driver: str
    tree: str | Path
    driver_file: str | Path
    data_races: bool
    fine: bool


class Attempt:
    """One run of a test's body. ``chooser`` None is natural order; ``stacks`` as World has it."""

    def __init__(self, chooser: Chooser | None = None, *, stacks: bool = False) -> None:
        self.chooser = chooser
        self.stacks = stacks
        self.titles: Counter[str] = Counter()  # of contexts, so that all worlds' have other names
        self.worlds: list[World] = []
        self.setups: list[Setup] = []  # of these worlds
        self.runs: list[Run] = []  # of those that came to their end
        self.diverged: ScheduleDiverged | None = None


class Bench:
    """What all attempts of one test share. ``attempt`` is the one that goes on, if one does."""

    def __init__(self, folder: Path, version: str | None, attempt: Attempt | None) -> None:
        self.folder = folder
        self.version = version
        self.attempt = attempt
        self.labs: dict[Asked, Lab] = {}


class Vpci:
    """The fixture. ``version`` is the protocol version of the test's id, None where it has none."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.version = bench.version

    def __repr__(self) -> str:
        return f"<vpci {self.version}>" if self.version else "<vpci>"

    def run(self, scenario: str | Path | Story, **options: Unpack[Options]) -> Run:
        """Play a scenario: a built-in's name, a file's path, or a story told in Python.

        Raises Violated for what guest or host must never do, and Refused for what cannot be played.
        """
        __tracebackhide__ = True  # what failed is the line of the test
        from sim.testing.playing import play

        attempt = self._bench.attempt
        if attempt is None:
            raise Refused(
                "a world was run outside the body of a test with the marker vpci, where no order"
                " can be tried; run it in the body, or take the marker off the test"
            )
        run = play(self._bench, attempt, scenario, dict(options))
        if run.violation is not None:
            raise Violated(run)
        return run
