# SPDX-License-Identifier: MIT
"""All wrong guests, and what the cases say of each. Knows no case but by what it requires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.outcome import BINDING, STRANGER, Target
from sim.conformance.suite import plan, run_guest_cases_together
from sim.conformance.wrong_guests import at_work, bring_up, leaving, on_vmbus
from sim.conformance.wrong_guests.record import WrongGuest
from sim.guests import Guests, ReferenceGuests

WRONG_GUESTS: Final = (*bring_up.WRONG, *at_work.WRONG, *leaving.WRONG, *on_vmbus.WRONG)
TARGET: Final = Target("guest", "a wrong guest", "hyperv", BINDING[STRANGER])


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
    """The ``must`` cases that these guests do not pass, by id."""
    planned = tuple(plan(GUEST_CASES, [version], ["must"]))
    outcomes = run_guest_cases_together(planned, TARGET, guests)
    return tuple(outcome.case.id for outcome in outcomes if outcome.result == "failed")
