# SPDX-License-Identifier: MIT
"""The reference guest's wire beside the real driver's, a scenario at a time.

Both are played in natural order against the same host. Where only the order differs, it is looked
for one choice that gives the model the driver's. Knows no rule's reason and builds no driver.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sim.choices import Chooser, DecisionChooser, Option, RecordingChooser
from sim.diff import told
from sim.guests import Guests
from sim.player import outcome
from sim.scenario import Scenario, why_unplayable
from sim.scenario_options import with_options, with_whole_offer
from sim.scenario_reader import load_scenario
from sim.trace import Stamped
from sim.wire import Crossing
from sim.wire_diff import ENDS, Compared, compare
from sim.wire_rules import OTHER_ORDER, RULES
from sim.world import World

DRIVER: Final = "kernel"
EQUAL: Final = "equal"
NAMED: Final = "named"
DIFFERENT: Final = "different"
ORDERS_MAX: Final = 400  # of the model's are tried, until one is the driver's


class Row(NamedTuple):
    """One scenario at one version: how it came out, and what to say of it."""

    scenario: str
    version: str
    result: str
    told: tuple[str, ...]


def playable(names: Sequence[str], versions: Sequence[str]) -> Iterator[tuple[str, Scenario]]:
    """Each scenario with each version that both guests can play it at.

    The real driver offers every version it knows, so the model does, too, and the host refuses all
    but the one.
    """
    for name in names:
        for version in versions:
            scenario = load_scenario(name)
            profile = scenario.host.profile
            if not why_unplayable(scenario, protocol=version, profile=profile, driver=DRIVER):
                asked = with_options(scenario, protocol=version, profile=None, device=None)
                yield version, with_whole_offer(asked)


def trace_of(
    scenario: Scenario, guests: Guests | None, chooser: Chooser | None = None
) -> tuple[Stamped, ...]:
    """One run, with the model if ``guests`` is None; in natural order without a chooser."""
    world = World(scenario, laws=(), guests=guests, chooser=chooser, lates=0)
    outcome(world)
    return world.trace()


def measure(scenario: Scenario, version: str, guests: Guests) -> Row:
    """Play a scenario twice and compare; where they differ, look for the driver's order."""
    ours, theirs = trace_of(scenario, None), trace_of(scenario, guests)
    compared = compare(ours, theirs, RULES)
    if compared.difference is not None:
        compared = in_other_order(scenario, theirs) or compared
    return Row(scenario.name, version, result_of(compared), tuple(_told(compared, ours, theirs)))


class Detour:
    """Natural order, but that at one choice the second option goes first."""

    def __init__(self, at: int) -> None:
        self._left = at

    def choose(self, options: Sequence[Option]) -> int:
        self._left -= 1
        return int(self._left == -1 and len(options) > 1)


def in_other_order(scenario: Scenario, theirs: Sequence[Stamped]) -> Compared | None:
    """What comes of it in an order in which the model's wire is the driver's; None without one."""
    recorder = RecordingChooser(DecisionChooser(()))
    trace_of(scenario, None, recorder)
    for at in range(min(len(recorder.decisions), ORDERS_MAX)):
        compared = compare(trace_of(scenario, None, Detour(at)), theirs, RULES)
        if compared.difference is None:
            return Compared(compared.named + Counter({OTHER_ORDER: 1}), None)
    return None


def result_of(compared: Compared) -> str:
    """Equal, named or different."""
    if compared.difference is not None:
        return DIFFERENT
    return NAMED if compared.named else EQUAL


def _told(compared: Compared, ours: Sequence[Stamped], theirs: Sequence[Stamped]) -> Iterator[str]:
    if compared.difference is None:
        yield from (f"{name} ({count})" for name, count in sorted(compared.named.items()))
        return
    lane, left, right = compared.difference
    yield f"on the wire of {lane}"
    yield f"model:  {_one(left, ours)}"
    yield f"driver: {_one(right, theirs)}"


def _one(crossing: Crossing | None, trace: Sequence[Stamped]) -> str:
    return ENDS if crossing is None else told(trace[crossing.seq])
