# SPDX-License-Identifier: MIT
"""The comparison of two guests sorts what it finds. The model is compared with itself here."""

from guest.defects.catalogue import CATALOGUE
from sim.guests import ReferenceGuests
from sim.honesty import DIFFERENT, EQUAL, measure, playable


def test_a_guest_is_equal_to_itself_at_every_version() -> None:
    rows = [
        measure(scenario, version, ReferenceGuests())
        for version, scenario in playable(["arrival"], ["1.1", "1.4"])
    ]
    assert [(row.version, row.result) for row in rows] == [("1.1", EQUAL), ("1.4", EQUAL)]


def test_a_bug_that_crosses_the_border_is_a_difference() -> None:
    ((version, scenario),) = playable(["arrival"], ["1.4"])
    old = ReferenceGuests([CATALOGUE["bar-sizing-memory-bit"]])
    row = measure(scenario, version, old)
    assert row.result == DIFFERENT
    assert row.told[0] == "on the wire of nvme0"


def test_what_the_real_driver_is_not_built_for_is_left_out() -> None:
    assert list(playable(["arm64-arrival"], ["1.4"])) == []
