# SPDX-License-Identifier: MIT
"""Plays one world of a test's body. What it refuses is told in one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from guest.defects.record import DefectsClash
from guest.native.errors import BuildError
from host.devices.problems import DeviceFileError
from sim.actors import UnplayedStep
from sim.choices import ScheduleDiverged
from sim.engine import Engine
from sim.oracles.law import LawRaised
from sim.oracles.user_laws import LawFileError
from sim.player import outcome
from sim.result import Verdict
from sim.scenario import ScenarioError
from sim.setup import Lab
from sim.testing.asked import Asked, asked
from sim.testing.fixture import Attempt, Bench
from sim.testing.refused import Refused
from sim.testing.story import Story
from sim.testing.told import Run
from sim.world import World

# What may be wrong with a setup; no partition can be made of some (ValueError, as World has it).
_UNUSABLE: Final = (
    *(BuildError, DefectsClash, DeviceFileError, LawFileError, OSError, ScenarioError, ValueError),
)
_UNPLAYABLE: Final = (DeviceFileError, LawRaised, UnplayedStep)


def play(
    bench: Bench, attempt: Attempt, scenario: str | Path | Story, options: Mapping[str, Any]
) -> Run:
    """One world, played to its end by the attempt's chooser. Raises Refused."""
    lab = _lab(bench, scenario, options)
    engine = Engine(attempt.chooser, lates=lab.setup.lates, titles=attempt.titles)
    with _one_line(lab.setup.source, _UNUSABLE):
        world = lab.world(attempt.chooser, stacks=attempt.stacks, engine=engine)
    attempt.worlds.append(world)
    attempt.setups.append(lab.setup)
    try:
        verdict, unplayed = _ended(world, attempt, lab.setup.source)
    except ScheduleDiverged as diverged:
        attempt.diverged = diverged  # in case the body catches what it is not to see
        raise
    run = Run(world, verdict, unplayed, told=attempt.stacks)
    attempt.runs.append(run)
    return run


def _ended(world: World, attempt: Attempt, source: str) -> tuple[Verdict, str | None]:
    """How it ends. In natural order a step that comes to nothing is a mistake of the scenario."""
    with _one_line(source, _UNPLAYABLE):
        if attempt.chooser is None:
            return world.run(), None
        return outcome(world)


def _lab(bench: Bench, scenario: str | Path | Story, options: Mapping[str, Any]) -> Lab:
    """What makes such worlds, made once for a test."""
    wanted = asked(scenario, options, folder=bench.folder, version=bench.version)
    if wanted not in bench.labs:
        bench.labs[wanted] = _made(wanted)
    return bench.labs[wanted]


def _made(wanted: Asked) -> Lab:
    with _one_line(wanted.setup.source, _UNUSABLE):
        return Lab(wanted.checked(), laws=wanted.laws)


@contextmanager
def _one_line(source: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Turn these errors into one line that says of which scenario."""
    try:
        yield
    except errors as error:
        told = str(error)
        raise Refused(told if told.startswith(source) else f"{source}: {told}") from None
