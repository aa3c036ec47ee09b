# SPDX-License-Identifier: MIT
"""Each built-in scenario is on the real driver as on the reference guest, or it is said why not."""

import pytest

from guest.native.library import Library
from sim.guests import NativeGuests
from sim.honesty import EQUAL, measure
from sim.real_driver import DIFFERENCES, DIFFERENCES_6_1, NOT_TAKEN
from sim.scenario_options import with_whole_offer
from sim.scenario_reader import load_scenario
from sim.wire_rules import ORDERS, RULES
from tests.guest.native.playing import PLAYABLE, story


def test_every_difference_is_that_of_a_scenario_that_the_real_driver_can_play() -> None:
    assert set(DIFFERENCES) | set(DIFFERENCES_6_1) <= set(PLAYABLE)


def test_every_name_is_needed_by_a_scenario_and_has_its_reason() -> None:
    names = {named.name for named in (*RULES, *ORDERS)}
    assert set(DIFFERENCES.values()) == names
    assert set(DIFFERENCES_6_1.values()) <= names | {NOT_TAKEN}


@pytest.mark.parametrize("name", PLAYABLE)
def test_a_story_is_as_on_the_reference_guest(library: Library, name: str) -> None:
    guests = NativeGuests(lambda: library)
    scenario = with_whole_offer(load_scenario(name))
    row = measure(scenario, scenario.guest.protocol[0], guests)
    if name in DIFFERENCES:
        assert [told.partition(" (")[0] for told in row.told] == [DIFFERENCES[name]]
        return
    assert (row.result, row.told) == (EQUAL, ())
    assert story(name, guests) == story(name, None)
