# SPDX-License-Identifier: MIT
"""From the choices of a failing schedule to the shortest story of it: few delays, a small scenario.

First the order is put into named delays and shortened; then the scenario, if it is one that is
played, loses what the failure does not need; at last comes the twin that passes. Everything is
tried in runs, as many as a budget allows, always the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from sim.choices import Choice, Chooser, DecisionChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import Named
from sim.explore.shorten import passing_twin, retold, shortest
from sim.explore.shrink_scenario import reduced
from sim.explore.smaller import Smaller
from sim.explore.trials import Trials, profiled
from sim.player import outcome
from sim.setup import Lab, Setup
from sim.violation import Violation

ORDER_TRIALS_MAX: Final = 1_000  # a bug of two delays in a run of 300 choices takes about 250
SCENARIO_TRIALS_MAX: Final = 300  # every step, device, vector and CPU of a built-in goes once
TWIN_TRIALS_MAX: Final = 300
# Each of the three stops earlier where runs are long: at so many steps of the engine, some 20 s,
# yet not before it could come to something. (A soft lockup polls for 20 s: 200,000 steps a run.)
STEPS_MAX: Final = 1_000_000
TRIALS_MIN: Final = 8


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """What is left of a failing order.

    Natural order but for ``delays`` and ``faults`` ends in ``violation``; ``choices`` are that
    run's. ``passing_twin`` passes and differs in one delay or fault; None if no such was found.
    """

    delays: tuple[Delay, ...]
    faults: tuple[FaultAt, ...]
    choices: tuple[Choice, ...]
    violation: Violation
    passing_twin: Named | None


class Shrunk(Story, frozen=True, kw_only=True):
    """What is left of a failing schedule: the story and the smaller scenario it is told in."""

    setup: Setup


class DoesNotFail(ValueError):
    """There is nothing to make short: the schedule passes."""


class Plays(Protocol):
    """Plays choosers to their violation, if any; ``steps`` are the engine's in all runs."""

    @property
    def steps(self) -> int: ...

    def __call__(self, chooser: Chooser) -> Violation | None: ...


class _Begun(NamedTuple):
    """A failing order in words, and how many more trials of each kind are affordable."""

    named: Named
    violation: Violation
    affordable: int


def shrink(setup: Setup, decisions: Sequence[int]) -> Shrunk | None:
    """The shortest story found of a schedule that fails; None if it cannot be put into words.

    Raises ScheduleDiverged if the decisions are none of this setup, and DoesNotFail.
    """
    begun = _in_words(Playing(Lab(setup)), decisions)
    if begun is None:
        return None
    most = min(SCENARIO_TRIALS_MAX, begun.affordable)
    smaller = Smaller(setup, begun.named, begun.violation, most)
    text = reduced(setup.text, smaller.fails) if smaller.sound else setup.text
    setup = replace(setup, text=text)
    story = _told(Playing(Lab(setup)), begun._replace(named=smaller.named))
    return Shrunk(setup=setup, **msgspec.structs.asdict(story))


def shrink_order(play: Plays, decisions: Sequence[int]) -> Story | None:
    """The same where nothing but the order can be made smaller."""
    begun = _in_words(play, decisions)
    return None if begun is None else _told(play, begun)


def _in_words(play: Plays, decisions: Sequence[int]) -> _Begun | None:
    """The order in as few delays as can be found. Raises DoesNotFail."""
    run = profiled(play, DecisionChooser(decisions))
    if run.violation is None:
        raise DoesNotFail("a schedule that does not fail cannot be shrunk")
    affordable = max(TRIALS_MIN, STEPS_MAX // max(1, play.steps))
    order = Trials(play, run.violation, min(ORDER_TRIALS_MAX, affordable))
    found = shortest(order, run)
    return None if found is None else _Begun(found, run.violation, affordable)


def _told(play: Plays, begun: _Begun) -> Story:
    """The end of the story: how it is said best in what is played now, and its twin."""
    found = begun.named
    trials = Trials(play, begun.violation, min(TWIN_TRIALS_MAX, begun.affordable))
    found = retold(trials, found) if trials.fails(found) else found
    run = profiled(play, found.chooser())
    assert run.violation is not None, "it has failed before, and nothing has changed"
    return Story(
        delays=found.delays,
        faults=found.faults,
        choices=run.choices,
        violation=run.violation,
        passing_twin=passing_twin(trials, found),
    )


class Playing:
    """Plays choosers to their violation, if any, in one lab; ``steps`` are the engine's in all."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self.steps = 0

    def __call__(self, chooser: Chooser) -> Violation | None:
        world = self._lab.world(chooser)
        verdict, _ = outcome(world)
        self.steps += world.engine.steps
        return verdict.violation
