# SPDX-License-Identifier: MIT
"""Which open items account for a run that names none: those that its built-in names."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guest.defects.catalogue import CATALOGUE
from sim.scenario import Scenario
from sim.scenario_reader import load_scenario
from sim.world import World


def innocent(name: str) -> Scenario:
    """The built-in as it would be if it knew of no open item."""
    scenario = load_scenario(name)
    return replace(scenario, expect=replace(scenario.expect, known=()))


@pytest.mark.parametrize(
    ("name", "items"),
    [
        ("rescind-during-probe", ("O9",)),  # a leak
        ("eject-before-linked", ("O4", "O9")),  # a law that says so itself, and a leak
        ("hostile-length", ("O38",)),  # a hang
        ("list-before-eject", ("O2",)),  # a fault, after which O16 cannot show
        ("probe-fails", ("O10", "O7")),  # a hang that either accounts for
    ],
)
def test_a_violation_is_accounted_for_by_what_it_shows(name: str, items: tuple[str, ...]) -> None:
    world = World(innocent(name))
    assert world.run().verdict == "violation"
    assert world.excusing() == items


def test_an_old_bug_is_accounted_for_by_nothing() -> None:
    world = World(innocent("eject-in-use"), defects=[CATALOGUE["eject-ref-leak"]])
    assert world.run().verdict == "violation"
    assert world.excusing() == ()


def test_items_that_are_named_are_not_named_again() -> None:
    scenario = innocent("eject-before-linked")
    world = World(replace(scenario, expect=replace(scenario.expect, known=("O4",))))
    assert world.run().verdict == "violation"
    assert world.excusing() == ("O9",)
