# SPDX-License-Identifier: MIT
"""What the real driver leaves behind: found, named as the reference guest's is, and known."""

import pytest

from guest.native.library import Library
from sim.violation import Leak
from tests.guest.native.playing import played

NOTHING_LOST = (
    *("arrival", "eject-idle", "eject-during-probe", "unload", "reload", "multi-function"),
    *("domain-collision", "config-blocks"),
)


@pytest.mark.parametrize("name", NOTHING_LOST)
def test_a_run_that_loses_nothing_is_told_to_lose_nothing(library: Library, name: str) -> None:
    _, verdict = played(library, name)
    assert (verdict.violation, verdict.leaks) == (None, ())


def test_a_function_left_allocated_after_a_rescind_is_found_and_known(library: Library) -> None:
    _, verdict = played(library, "rescind-during-probe")
    assert verdict.leaks == (Leak("HvPciDev", 1, "O9"),)
    assert verdict.verdict == "known"


def test_a_function_left_by_a_probe_that_failed_is_found_and_known(library: Library) -> None:
    _, verdict = played(library, "d0-refused-twice")
    assert verdict.leaks == (Leak("HvPciDev", 1, "O7"),)


def test_a_relid_that_no_channel_has_is_lost(library: Library) -> None:
    world, _ = played(library, "arrival")
    guest = world.machine.guest
    assert guest.lost((), [1])["relid"] == 0
    assert guest.lost((), [1, 7])["relid"] == 1


def test_numbered_things_of_living_buses_are_not_held_for_nothing(library: Library) -> None:
    played(library, "arrival")
    held = library.held_for_nothing()
    assert held == {"MMIO range": 0, "PCI domain": 0, "PCI slot": 0, "request id": 0}


def test_what_each_failed_probe_leaves_is_counted_for_that_probe(library: Library) -> None:
    _, verdict = played(library, "mmio-high-too-small")
    assert verdict.leaks == (Leak("HvPciDev", 2, "O7"), Leak("MMIO range", 2, "O28"))
