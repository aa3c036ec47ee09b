# SPDX-License-Identifier: MIT
"""The suite's own cases against our own peers, and what it says of one that does wrong."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

import pytest

from sim.conformance import guest_cases, host_cases
from sim.conformance.case import Case
from sim.conformance.catalogue import GUEST_CASES, HOST_CASES
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.conformance.own_host import hosts_of
from sim.conformance.suite import plan, run_host_case

HYPERV = Target("host", "our host", "hyperv", BINDING["hyperv"])
KNOBS_OF_THEIR_OWN = {case.id for case in HOST_CASES if case.knobs}


def host_outcomes(profile: str, knobs: Mapping[str, object]) -> list[Outcome]:
    target = Target("host", "our host", profile, BINDING[profile])
    return [
        run_host_case(case, version, target, hosts_of(profile, knobs))
        for case, version in plan(HOST_CASES)
    ]


@pytest.mark.parametrize("profile", ["hyperv", "openvmm"])
def test_our_host_passes_every_case_that_binds_its_profile(profile: str) -> None:
    failed = [
        (o.case.id, o.version, o.why) for o in host_outcomes(profile, {}) if o.result == "failed"
    ]
    assert failed == []


def test_a_host_that_refuses_with_another_status_fails_where_it_first_shows() -> None:
    outcomes = host_outcomes("hyperv", {"version_refusal_status": 0xC0000001})
    failed = {o.case.id for o in outcomes if o.result == "failed"} - KNOBS_OF_THEIR_OWN
    assert failed == {"unknown-version-refused"}
    assert all(o.trace and o.at is not None for o in outcomes if o.result == "failed")


def test_every_case_has_an_id_of_its_own() -> None:
    ids = [case.id for case in (*HOST_CASES, *GUEST_CASES)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("package", "cases"), [(host_cases, HOST_CASES), (guest_cases, GUEST_CASES)]
)
def test_every_module_of_cases_belongs_to_a_theme(
    package: ModuleType, cases: tuple[Case, ...]
) -> None:
    names = [f"{package.__name__}.{module.name}" for module in iter_modules(package.__path__)]
    found = [case for name in names for case in getattr(import_module(name), "CASES", ())]
    assert sorted(case.id for case in found) == sorted(case.id for case in cases)


def test_what_no_source_establishes_is_told_and_never_a_failure() -> None:
    case = next(case for case in HOST_CASES if case.id == "second-d0-entry")
    target = HYPERV._replace(binding=frozenset({"unknown"}))
    outcome = run_host_case(case, "1.4", target, hosts_of("hyperv"))
    assert (outcome.result, outcome.why) == (
        "observed",
        "a second D0 entry gets status 0xc0000184",
    )
