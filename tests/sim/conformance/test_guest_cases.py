# SPDX-License-Identifier: MIT
"""The guest's cases against the reference guest, and what a case may ask of a guest."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from protocol.ids import TransactionId
from protocol.link import PacketPublished
from sim.conformance.case import GuestCase, NotOffered
from sim.conformance.catalogue import GUEST_CASES, GUEST_THEMES
from sim.conformance.guest_play import Played, judged, play
from sim.conformance.outcome import BINDING, Target
from sim.conformance.seen import Seen
from sim.conformance.suite import plan, run_guest_case, run_guest_cases_together
from sim.guests import ReferenceGuests
from sim.scenario import Scenario
from sim.scenario_options import with_whole_offer

TARGET = Target("guest", "the reference guest", "hyperv", BINDING["guest"])
BY_ID = {case.id: case for case in GUEST_CASES}


@pytest.mark.parametrize("case", GUEST_CASES, ids=lambda case: case.id)
def test_the_reference_guest_passes(case: GuestCase) -> None:
    for one, version in plan([case]):
        outcome = run_guest_case(one, version, TARGET, None)
        expected = "passed" if case.strength in TARGET.binding else "observed"
        assert outcome.result == expected, f"{version}: {outcome.why}"


@pytest.mark.parametrize("version", ["1.2", "1.4"])
def test_the_reference_guest_passes_opposite_the_other_kind_of_host(version: str) -> None:
    target = TARGET._replace(profile="openvmm")
    planned = tuple(plan(GUEST_CASES, [version]))
    outcomes = run_guest_cases_together(planned, target, None)
    assert [(o.case.id, o.why) for o in outcomes if o.result == "failed"] == []


@pytest.mark.parametrize(
    "id_",
    [
        *("accesses-inside-the-window", "configuration-accesses-aligned", "ids-not-written"),
        *("d0-entered-once", "window-aligned", "d0-before-resources"),
        *("d0-before-configuration-space", "assigned-before-interrupts", "no-newer-forms"),
        *("bars-aligned", "bars-moved-while-off", "only-listed-slots"),
        *("retarget-names-an-interrupt", "retarget-names-the-function"),
    ],
)
def test_what_needs_no_eject_is_played_by_a_host_that_never_ejects(id_: str) -> None:
    target = TARGET._replace(profile="openvmm")
    assert run_guest_case(BY_ID[id_], "1.4", target, None).result == "passed"


def test_there_are_twelve_themes_and_none_is_empty() -> None:
    assert len(GUEST_THEMES) == 12
    assert all(GUEST_THEMES.values())


class OffersAll(ReferenceGuests):
    """Guests that offer every version they know, as the real driver does."""

    def playable(self, scenario: Scenario) -> Scenario:
        return with_whole_offer(scenario)


def test_a_guest_that_offers_all_is_not_put_to_what_offers_less() -> None:
    case = BY_ID["host-up-to-1.2"]
    with pytest.raises(NotOffered, match=r"offers 1\.4, 1\.3, 1\.2, 1\.1"):
        play(case, "1.3", guests=OffersAll())
    assert judged(case, play(case, "1.4", guests=OffersAll())) is None


def test_a_host_that_cannot_play_a_case_says_why() -> None:
    outcome = run_guest_case(
        BY_ID["eject-completed-once"], "1.4", TARGET._replace(profile="openvmm"), None
    )
    assert (outcome.result, outcome.why) == ("skipped", "the openvmm profile never ejects")


def test_a_wait_that_never_comes_true_fails_a_guest_that_comes_up_elsewhere() -> None:
    case = replace(BY_ID["version-asked-first"], scenario=BY_ID["no-version-no-further"].scenario)
    never = case.scenario.replace("{ after_ns", '{ wait = "d0-entered" },\n{ after_ns', 1)
    wrong = judged(case, play(replace(case, scenario=never), "1.4"))
    assert str(wrong) == "the guest never got as far as d0-entered"


def numbered_from(played: Played, lowest: int, *, most: int) -> Played:
    """The same without the requests of higher ids than ``most``, under ids from another number."""
    trace = []
    for stamped in played.seen.trace:
        event = stamped.event
        number = event.transaction_id if isinstance(event, PacketPublished) else 0
        if 0 < number <= most:
            event = replace(event, transaction_id=TransactionId(lowest + number))
        if number <= most:
            trace.append(replace(stamped, event=event))
    result = replace(played.seen.result, trace=tuple(trace))
    return Played(Seen(result, played.seen.dialect), None)


def test_requests_at_once_are_counted_whatever_their_ids_are() -> None:
    case = BY_ID["sixty-four-requests"]
    played = play(case, "1.4")
    assert judged(case, numbered_from(played, 1000, most=64)) is None
    few = numbered_from(played, 1000, most=6)
    assert str(judged(case, few)) == "of 68 requests at once 6 were sent"
