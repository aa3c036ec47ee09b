# SPDX-License-Identifier: MIT
"""The driver of Linux 6.1 plays what its kernel has otherwise: vectors, ACPI's device, timers."""

from pathlib import Path

import pytest

from guest.native.library import Library
from sim.native import built, loaded
from tests.guest.native.playing import played


@pytest.fixture
def library_61(kernel_tree_61: Path) -> Library:
    return loaded(built(str(kernel_tree_61), None).shared_object)


@pytest.mark.parametrize("scenario", ["arrival", "retarget", "hibernate-unbound"])
def test_a_story_ends_as_on_a_later_kernel(library_61: Library, scenario: str) -> None:
    world, verdict = played(library_61, scenario)
    assert (verdict.violation, verdict.verdict) == (None, "clean")
    assert world.engine.now_ns() < 2_000_000_000, "no timer goes on for ever"
