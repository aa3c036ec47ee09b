# SPDX-License-Identifier: MIT
"""The guest's cases against the real driver of 6.12, in one process, at every version."""

from __future__ import annotations

import pytest

from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.suite import plan, run_guest_cases_together
from sim.native import native_guests
from tests.kernel_trees import tree_of

OFFERS_ALL = "it offers 1.4, 1.3, 1.2, 1.1 and cannot be told otherwise"
WARNED = "it can be played by model only"
ONE_KERNEL = "the real driver's library holds one kernel, and boots none beside a dead one"
TARGET = Target("guest", "the real driver", "hyperv", BINDING["guest"])


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    guests = native_guests(str(tree_of("6.12")), None)
    return list(run_guest_cases_together(tuple(plan(GUEST_CASES)), TARGET, guests))


def test_the_real_driver_passes_every_case_it_can_be_put_to(outcomes: list[Outcome]) -> None:
    failed = [(o.case.id, o.version, o.why) for o in outcomes if o.result == "failed"]
    assert failed == []


def test_what_it_cannot_be_put_to_says_why(outcomes: list[Outcome]) -> None:
    skipped = [o for o in outcomes if o.result == "skipped"]
    assert {o.why for o in skipped} == {OFFERS_ALL, ONE_KERNEL, WARNED}
    up_to = {case.id for case in GUEST_CASES if case.offers == "up-to"}
    assert {o.case.id for o in skipped if o.why == OFFERS_ALL} <= up_to
    assert "1.4" not in {o.version for o in skipped if o.why == OFFERS_ALL}


def test_every_case_but_those_of_two_kernels_and_of_warnings_is_put_to_it(
    outcomes: list[Outcome],
) -> None:
    played = {o.case.id for o in outcomes if o.result != "skipped"}
    boots = {case.id for case in GUEST_CASES if '"boot"' in case.scenario}
    warned = {case.id for case in GUEST_CASES if 'drivers = ["model"]' in case.scenario}
    assert {case.id for case in GUEST_CASES} - played == boots | warned
