# SPDX-License-Identifier: MIT
"""The open items: all are listed, each reachable one shows in its scenario, and only there."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guest.defects.open_items import OPEN_ITEMS, OpenItem
from sim.choices import RandomChooser
from sim.faults import any_fault
from sim.oracles.signatures import SIGNATURES
from sim.scenario import Scenario
from sim.scenario_grammar import OPEN_ITEMS as NAMES
from sim.scenario_reader import built_in_names, load_scenario
from sim.world import World

# Too narrow for random orders; the pass over single delays finds them.
NARROW = ("O5", "O6")
SEEDS = 200

reachable = [item for item in OPEN_ITEMS.values() if item.scenario]
every_reachable = pytest.mark.parametrize("item", reachable, ids=lambda item: item.id)

ENDS_IN = {signature.item: signature.kinds for signature in SIGNATURES if signature.kinds}


def story_of(item: OpenItem) -> Scenario:
    """The scenario of a reachable item."""
    assert item.scenario is not None
    return load_scenario(item.scenario)


def ends_unaided(item: OpenItem) -> bool:
    """Whether random walks, without any fault, come to the violation that it ends in."""
    return item.id in ENDS_IN and item.id not in NARROW and not any_fault(story_of(item).faults)


ending = [item for item in reachable if ends_unaided(item)]


def test_all_items_are_listed_in_order() -> None:
    assert tuple(OPEN_ITEMS) == NAMES
    assert [item.id for item in OPEN_ITEMS.values()] == list(OPEN_ITEMS)


@pytest.mark.parametrize("item", OPEN_ITEMS.values(), ids=list(OPEN_ITEMS))
def test_an_item_has_a_scenario_that_names_it_or_a_reason(item: OpenItem) -> None:
    assert item.why
    if item.scenario is not None:
        assert item.scenario in built_in_names()
        assert item.id in load_scenario(item.scenario).expect.known


@every_reachable
def test_a_reachable_item_shows_in_its_scenario_and_is_no_violation(item: OpenItem) -> None:
    scenario = story_of(item)
    seen: set[str] = set()
    for seed in range(SEEDS):
        verdict = World(scenario, chooser=RandomChooser(seed)).run()
        assert verdict.violation is None, (seed, verdict.violation)
        seen.update(verdict.known)
        if item.id in seen:
            return
    assert item.id in NARROW


@pytest.mark.parametrize("item", ending, ids=lambda item: item.id)
def test_what_an_item_ends_in_is_a_violation_where_nobody_names_it(item: OpenItem) -> None:
    scenario = story_of(item)
    unnamed = replace(scenario, expect=replace(scenario.expect, known=()))
    choosers = (None, *(RandomChooser(seed) for seed in range(SEEDS)))
    violations = (World(unnamed, chooser=chooser).run().violation for chooser in choosers)
    violation = next(filter(None, violations), None)
    assert violation is not None
    assert violation.kind in ENDS_IN[item.id]


def test_every_signature_is_of_a_reachable_item() -> None:
    assert {signature.item for signature in SIGNATURES} <= {item.id for item in reachable}
