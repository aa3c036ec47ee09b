# SPDX-License-Identifier: MIT
"""Cases of one world are judged by one life in it, and none of them notices the others."""

from __future__ import annotations

from weakref import ref

import pytest
from msgspec.structs import replace

from guest.kernel.pages import PhysicalMemory
from sim.conformance.case import GuestCase, Nonconforming, NotOffered
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.lives import Lives
from sim.conformance.outcome import BINDING, Target
from sim.conformance.seen import Seen
from sim.conformance.suite import run_guest_case, run_guest_cases, run_guest_cases_together
from sim.guests import ReferenceGuests
from sim.scenario import Scenario
from tests.sim.conformance.worlds import worlds_at

VERSION = "1.4"
TARGET = Target("guest", "the reference guest", "hyperv", BINDING["guest"])
BY_ID = {case.id: case for case in GUEST_CASES}
FIRST, SECOND = BY_ID["version-asked-first"], BY_ID["d0-entered-once"]
ELSEWHERE = BY_ID["relid-given-back"]
NEIGHBOURS = [cases for cases in worlds_at(VERSION) if len(cases) > 1]


class Counted(ReferenceGuests):
    """Reference guests; ``lives`` counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.lives = 0

    def memory(self) -> PhysicalMemory:
        self.lives += 1
        return super().memory()


class Unwilling(ReferenceGuests):
    """Guests that play nothing; ``asked`` counts how often they were to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def playable(self, scenario: Scenario) -> Scenario:
        del scenario
        self.asked += 1
        raise NotOffered("it rains")


def lives_of(*cases: GuestCase) -> Lives:
    return Lives([(case, VERSION) for case in cases], "hyperv", None)


def test_a_world_is_played_once_for_all_its_cases() -> None:
    guests = Counted()
    planned = [(case, VERSION) for case in (FIRST, ELSEWHERE, SECOND)]
    outcomes = list(run_guest_cases_together(planned, TARGET, guests))
    assert [outcome.case for outcome in outcomes] == [FIRST, ELSEWHERE, SECOND]
    assert guests.lives == 2
    list(run_guest_cases(planned, TARGET, guests))
    assert guests.lives == 2 + 3


@pytest.mark.parametrize(
    "other", [(SECOND, "1.3"), (replace(SECOND, offers="up-to"), "1.4"), (ELSEWHERE, "1.4")]
)
def test_another_version_offer_or_scenario_is_another_life(other: tuple[GuestCase, str]) -> None:
    guests = Counted()
    list(run_guest_cases_together([(FIRST, "1.4"), other], TARGET, guests))
    assert guests.lives == 2


def test_a_life_is_kept_until_its_last_case_has_asked() -> None:
    lives = lives_of(FIRST, ELSEWHERE, SECOND)
    first = ref(lives.life_for(FIRST, VERSION).seen)
    elsewhere = ref(lives.life_for(ELSEWHERE, VERSION).seen)
    assert first() is not None
    assert elsewhere() is None
    assert lives.life_for(SECOND, VERSION).seen is first()
    assert first() is None


def test_what_cannot_be_played_is_told_to_every_case_and_not_tried_again() -> None:
    guests = Unwilling()
    planned = [(FIRST, VERSION), (SECOND, VERSION)]
    outcomes = run_guest_cases_together(planned, TARGET, guests)
    assert [(outcome.result, outcome.why) for outcome in outcomes] == [("skipped", "it rains")] * 2
    assert guests.asked == 1


def test_a_case_that_fails_does_the_others_no_harm() -> None:
    def refuses(seen: Seen) -> None:
        raise Nonconforming("no", seen.trace[0].seq)

    planned = [(each, VERSION) for each in (FIRST, replace(SECOND, check=refuses), SECOND)]
    outcomes = run_guest_cases_together(planned, TARGET, None)
    assert [outcome.result for outcome in outcomes] == ["passed", "failed", "passed"]


@pytest.mark.parametrize("cases", NEIGHBOURS, ids=lambda cases: cases[0].id)
def test_cases_of_one_world_come_to_the_same_alone_and_in_any_order(cases: list[GuestCase]) -> None:
    alone = {case.id: run_guest_case(case, VERSION, TARGET, None) for case in cases}
    planned = [(case, VERSION) for case in (*cases, *reversed(cases))]
    for outcome in run_guest_cases_together(planned, TARGET, None):
        assert outcome == alone[outcome.case.id]


@pytest.mark.parametrize("cases", NEIGHBOURS, ids=lambda cases: cases[0].id)
def test_nothing_can_be_changed_of_what_was_seen(cases: list[GuestCase]) -> None:
    """What has a hash is unchangeable, with all that is in it."""
    seen = lives_of(cases[0]).life_for(cases[0], VERSION).seen
    assert hash((seen.trace, seen.rings))
