# SPDX-License-Identifier: MIT
"""What is on record agrees with the facts, names things that exist, and leaves nothing out."""

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.defects.record import Defect, overridden
from sim.scenario_grammar import PROTOCOLS, VIOLATION_KINDS
from sim.scenario_reader import built_in_names
from tests.guest.defects.facts import FACTS

COMPLETE = ("A", "B", "C", "D", "E", "F")  # classes of which every fact has a record

every_defect = pytest.mark.parametrize("defect", CATALOGUE.values(), ids=list(CATALOGUE))


@pytest.mark.parametrize("cls", COMPLETE)
def test_every_known_bug_of_a_class_is_on_record(cls: str) -> None:
    known = {fact.id for fact in FACTS.values() if fact.cls.startswith(cls)}
    assert known <= {defect.id for defect in CATALOGUE.values() if defect.cls == cls}


@every_defect
def test_a_record_says_what_is_known_and_no_more(defect: Defect) -> None:
    fact = FACTS[defect.id]
    assert (defect.subject, defect.commit, defect.fixed) == (fact.subject, fact.commit, fact.fixed)
    assert defect.cls == fact.cls[0]
    assert fact.commit_check.startswith(defect.commit_check)
    assert defect.commit_check  # an unconfirmed commit stays one


@every_defect
def test_what_a_record_names_exists(defect: Defect) -> None:
    assert defect.scenario in built_in_names()
    assert defect.expect is None or defect.expect in VIOLATION_KINDS
    assert defect.bred_by is None or defect.bred_by in CATALOGUE
    assert set(defect.protocol) <= set(PROTOCOLS)
    assert defect.why


@every_defect
def test_a_bug_that_shows_has_something_that_brings_it_back(defect: Defect) -> None:
    assert defect.expect is None or defect.mixins or defect.knobs or defect.latency_ns


@every_defect
def test_a_mixin_overrides_only_what_the_clean_class_has(defect: Defect) -> None:
    for mixin in defect.mixins:
        clean = [vars(base) for base in mixin.cls.__mro__[1:-1]]
        new = [name for name in overridden(mixin.cls) if not any(name in base for base in clean)]
        assert not new, f"{mixin.cls.__name__} invents {new}"


BRED = [each for each in CATALOGUE.values() if each.bred_by]


@pytest.mark.parametrize("defect", BRED, ids=[each.id for each in BRED])
def test_a_bug_that_a_fix_brought_was_fixed_after_it(defect: Defect) -> None:
    assert defect.bred_by is not None
    assert CATALOGUE[defect.bred_by].fixed < defect.fixed  # both begin with year and month
