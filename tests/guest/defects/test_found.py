# SPDX-License-Identifier: MIT
"""Each bug shows as what it is said to be, and the clean guest passes the same schedule."""

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect
from sim.choices import RandomChooser
from sim.scenario import Scenario
from sim.scenario_options import with_needs
from sim.scenario_reader import load_scenario
from sim.violation import Violation
from sim.world import World
from tests.guest.defects.schedules import FAILING, failing

SHOWING = ("A", "B", "C", "D", "E", "F")  # classes of which every bug has its schedule
WALKS = 10  # random walks of a bug that cannot fail

PLAYED = [each for each in CATALOGUE.values() if each.cls in SHOWING and "model" in each.drivers]
SHOWN = [each for each in PLAYED if each.expect]
NOT_SHOWN = [each for each in PLAYED if not each.expect and each.mixins]

shown = pytest.mark.parametrize("defect", SHOWN, ids=[each.id for each in SHOWN])
not_shown = pytest.mark.parametrize("defect", NOT_SHOWN, ids=[each.id for each in NOT_SHOWN])


def story_of(defect: Defect) -> Scenario:
    """Its scenario, with the host and the faults that it needs."""
    return with_needs(load_scenario(defect.scenario), (defect,))


def found(defect: Defect, chooser: RandomChooser | None = None) -> Violation | None:
    return World(story_of(defect), chooser=chooser, defects=(defect,)).run().violation


@shown
def test_a_bug_is_found_as_what_it_is_said_to_be(defect: Defect) -> None:
    chooser = failing(defect.id).chooser()
    violation = World(story_of(defect), chooser=chooser, defects=(defect,)).run().violation
    assert violation is not None
    assert violation.kind == defect.expect
    assert not chooser.unapplied
    assert not chooser.unapplied_faults


@shown
def test_the_clean_guest_passes_the_schedule_that_fails(defect: Defect) -> None:
    world = World(story_of(defect), chooser=failing(defect.id).chooser())
    assert world.run().violation is None


@not_shown
def test_a_bug_that_is_said_not_to_show_does_not(defect: Defect) -> None:
    assert found(defect) is None
    assert [found(defect, RandomChooser(seed)) for seed in range(WALKS)] == [None] * WALKS


def test_every_schedule_belongs_to_a_bug_that_shows() -> None:
    assert all(CATALOGUE[name].expect for name in FAILING)


def test_a_reference_that_leaked_hid_the_use_after_free_that_its_fix_brought() -> None:
    leak, use = CATALOGUE["eject-ref-leak"], CATALOGUE["eject-uaf-after-last-put"]
    violation = World(story_of(use), defects=(leak, use)).run().violation
    assert violation is not None
    assert violation.kind == leak.expect
