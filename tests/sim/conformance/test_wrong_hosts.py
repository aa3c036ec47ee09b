# SPDX-License-Identifier: MIT
"""Every case for hosts is seen to fail: the table of wrong hosts and the cases that catch them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sim.conformance.case import HostCase
from sim.conformance.catalogue import HOST_CASES
from sim.conformance.host_port import HostUnderTest
from sim.conformance.outcome import BINDING, Target
from sim.conformance.own_host import OwnHost
from sim.conformance.suite import run_host_case
from sim.conformance.wrong_hosts import WRONG_HOSTS, caught, caught_by
from sim.conformance.wrong_hosts.meddled import Telling
from sim.conformance.wrong_hosts.row import WrongHost

MUSTS = frozenset(case.id for case in HOST_CASES if case.strength == "must")
CASE = {case.id: case for case in HOST_CASES}
WRONG = {wrong.id: wrong for wrong in WRONG_HOSTS}


@pytest.mark.parametrize("wrong", WRONG_HOSTS, ids=lambda wrong: wrong.id)
def test_a_wrong_host_is_caught_by_the_cases_that_are_there_for_it_and_by_no_other(
    wrong: WrongHost,
) -> None:
    assert set(caught_by(wrong)) == set(wrong.catches)


def test_each_must_is_the_only_one_that_catches_some_wrong_host() -> None:
    alone = {min(musts) for w in WRONG_HOSTS if len(musts := MUSTS.intersection(w.catches)) == 1}
    assert alone == MUSTS


def test_no_case_is_without_a_wrong_host() -> None:
    assert {case for wrong in WRONG_HOSTS for case in wrong.catches} == set(CASE)


def test_the_table_says_what_a_wrong_host_does_and_who_catches_it() -> None:
    first = next(caught())
    assert (first.wrong.id, first.by) == ("offers-nothing", ("channel-offered",))
    assert first.wrong.does == "offers no channel"


def test_wrong_hosts_have_names_of_their_own() -> None:
    assert len(WRONG) == len(WRONG_HOSTS)


def test_what_goes_wrong_on_the_way_to_a_case_is_told_by_the_case_about_that() -> None:
    wrong = WRONG["fails-d0-entry"]
    target = Target("host", wrong.id, "hyperv", BINDING["hyperv"])
    entered = run_host_case(CASE["d0-entered"], "1.4", target, wrong.made)
    left = run_host_case(CASE["d0-left"], "1.4", target, wrong.made)
    assert (entered.result, entered.why) == ("failed", "the status is 0xc0000001, not 0x0")
    assert left.result == "skipped"
    assert left.why.startswith("the host does not get as far as D0: ")


def test_a_wrong_host_is_not_put_to_a_case_that_needs_another_set_up() -> None:
    target = Target("host", "wrong", "hyperv", BINDING["hyperv"])
    case = CASE["agrees-with-host-up-to-1.2"]
    outcome = run_host_case(case, "1.2", target, WRONG["never-lists"].made)
    assert outcome.result == "skipped"


def test_a_host_whose_packets_cannot_be_read_fails_the_case() -> None:
    def mumbles(case: HostCase, _version: str) -> HostUnderTest:
        host = OwnHost("hyperv", case.bus, {})
        return Telling(host, lambda _host, packet: (replace(packet, payload=b"?"),))

    target = Target("host", "it mumbles", "hyperv", BINDING["hyperv"])
    outcome = run_host_case(CASE["relations-query-listed"], "1.4", target, mumbles)
    assert outcome.result == "failed"
    assert outcome.why.startswith("what the host sent cannot be read: ")
