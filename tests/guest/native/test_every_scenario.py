# SPDX-License-Identifier: MIT
"""Each built-in scenario ends on the real driver as on the reference guest, or it is said why."""

from pathlib import Path
from typing import NamedTuple

import pytest

from guest.native.library import Library
from sim.guests import Guests, NativeGuests
from sim.messages import messages_of
from sim.real_driver import DIFFERENCES, Kind
from sim.scenario import Scenario, drivers_of
from sim.scenario_options import with_whole_offer
from sim.scenario_reader import find_scenario, parse_scenario
from sim.world import World


class Story(NamedTuple):
    verdict: str
    known: tuple[str, ...]
    messages: list[tuple[str, ...]]


def scenario_of(name: str) -> Scenario:
    text = find_scenario(name).read_text(encoding="utf-8")
    return with_whole_offer(parse_scenario(text, source=name, folder=Path()))


BUILT_IN = sorted(path.stem for path in find_scenario("arrival").parent.glob("*.toml"))
PLAYABLE = [name for name in BUILT_IN if "kernel" in drivers_of(scenario_of(name))]


def told(name: str, guests: Guests | None) -> Story:
    world = World(scenario_of(name), guests=guests)
    verdict = world.run()
    messages: list[tuple[str, ...]] = [
        (each.direction, each.name) for each in messages_of(world.trace())
    ]
    return Story(verdict.verdict, tuple(sorted(verdict.known)), messages)


def test_every_difference_is_that_of_a_scenario_that_the_real_driver_can_play() -> None:
    assert set(DIFFERENCES) <= set(PLAYABLE)


@pytest.mark.parametrize("name", PLAYABLE)
def test_a_story_ends_as_on_the_reference_guest(library: Library, name: str) -> None:
    ours, linux = told(name, None), told(name, NativeGuests(lambda: library))
    if name not in DIFFERENCES:
        assert linux == ours
        return
    differs = Kind.ORDER if linux.messages != ours.messages else Kind.VERDICT
    assert linux != ours, "the row of DIFFERENCES does not hold any more: drop it"
    assert DIFFERENCES[name].kind in (differs, Kind.VERDICT)
