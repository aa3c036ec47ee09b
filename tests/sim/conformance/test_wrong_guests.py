# SPDX-License-Identifier: MIT
"""Every ``must`` case of a guest catches something that no other one does."""

from __future__ import annotations

import pytest

from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.wrong_guests.catalogue import WRONG_GUESTS, failed_by, rows
from sim.conformance.wrong_guests.record import WrongGuest
from sim.guests import ReferenceGuests


@pytest.mark.parametrize("wrong", WRONG_GUESTS, ids=lambda wrong: wrong.caught_by)
def test_a_wrong_guest_fails_the_one_case_that_it_is_made_for(wrong: WrongGuest) -> None:
    (row,) = rows([wrong])
    assert row.caught_by == (row.made_for,)


def test_there_is_a_wrong_guest_for_every_case_that_binds_all() -> None:
    made_for = [wrong.caught_by for wrong in WRONG_GUESTS]
    assert sorted(made_for) == sorted(c.id for c in GUEST_CASES if c.strength == "must")


@pytest.mark.parametrize("version", ["1.1", "1.2", "1.3", "1.4"])
def test_a_guest_without_anything_wrong_fails_none_of_them(version: str) -> None:
    assert failed_by(ReferenceGuests(), version) == ()


def test_two_wrong_things_are_caught_by_two_cases() -> None:
    by_id = {wrong.caught_by: wrong for wrong in WRONG_GUESTS}
    two = ("eject-completed-once", "ids-not-written")
    guests = ReferenceGuests(mixins=[mixin for id_ in two for mixin in by_id[id_].mixins])
    assert set(failed_by(guests, "1.4")) == set(two)
