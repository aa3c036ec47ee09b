# SPDX-License-Identifier: MIT
"""The driver of Linux 6.1 plays what its kernel has otherwise: vectors, ACPI's device, timers."""

from pathlib import Path

import pytest

from guest.native.library import Library
from sim.guests import NativeGuests
from sim.native import built, loaded
from sim.real_driver import DIFFERENCES_6_1
from tests.guest.native.playing import PLAYABLE, played, story

SAMPLE = PLAYABLE[::7]  # of those that are alike


@pytest.fixture
def library_61(kernel_tree_61: Path) -> Library:
    return loaded(built(str(kernel_tree_61), None).shared_object)


@pytest.mark.parametrize("scenario", ["arrival", "retarget", "hibernate-unbound"])
def test_a_story_ends_as_on_a_later_kernel(library_61: Library, scenario: str) -> None:
    world, verdict = played(library_61, scenario)
    assert (verdict.violation, verdict.verdict) == (None, "clean")
    assert world.engine.now_ns() < 2_000_000_000, "no timer goes on for ever"


@pytest.mark.parametrize("name", sorted({*SAMPLE, *DIFFERENCES_6_1}))
def test_a_story_is_as_on_the_reference_guest_or_has_its_row(
    library_61: Library, name: str
) -> None:
    theirs = story(name, NativeGuests(lambda: library_61))
    assert (theirs != story(name, None)) == (name in DIFFERENCES_6_1)
