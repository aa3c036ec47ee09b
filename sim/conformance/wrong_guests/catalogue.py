# SPDX-License-Identifier: MIT
"""All wrong guests, and what the cases say of each. Knows no case but by what it requires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final, NamedTuple

from sim.conformance.case import GuestCase, NotOffered
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import judged, play
from sim.conformance.wrong_guests import at_work, bring_up, leaving
from sim.conformance.wrong_guests.record import WrongGuest
from sim.guests import Guests, ReferenceGuests

WRONG_GUESTS: Final = (*bring_up.WRONG, *at_work.WRONG, *leaving.WRONG)


class Row(NamedTuple):
    """One wrong guest: what it does, the case it is there for, and the ``must`` cases it fails."""

    does: str
    made_for: str
    caught_by: tuple[str, ...]


def rows(wrong_guests: Iterable[WrongGuest] = WRONG_GUESTS) -> Iterator[Row]:
    """Put every ``must`` case to each of these guests, at one version."""
    for wrong in wrong_guests:
        guests = ReferenceGuests(mixins=wrong.mixins)
        yield Row(wrong.does, wrong.caught_by, failed_by(guests, wrong.version))


def failed_by(guests: Guests, version: str) -> tuple[str, ...]:
    """The ``must`` cases that these guests do not pass, by id.

    Cases with one scenario are judged by one run of it: what is asked for is what was seen.
    """
    cases = [c for c in GUEST_CASES if c.strength == "must" and version in c.versions]
    found: list[str] = []
    for _, same in groupby(sorted(cases, key=_world), key=_world):
        found += _failed(tuple(same), guests, version)
    return tuple(case.id for case in GUEST_CASES if case.id in found)


def _world(case: GuestCase) -> tuple[str, str]:
    return case.scenario, case.offers


def _failed(cases: tuple[GuestCase, ...], guests: Guests, version: str) -> Iterator[str]:
    try:
        played = play(cases[0], version, guests=guests)
    except NotOffered:
        return
    for case in cases:
        try:
            if judged(case, played) is not None:
                yield case.id
        except NotOffered:
            continue
