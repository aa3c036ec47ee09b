# SPDX-License-Identifier: MIT
"""Scenarios written as text read as they were."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.scenario_reader import BUILT_IN, built_in_names
from sim.scenario_text import scenario_text


@pytest.mark.parametrize("name", built_in_names())
def test_every_built_in_survives_being_written(name: str) -> None:
    raw = tomllib.loads((BUILT_IN / f"{name}.toml").read_text())
    assert tomllib.loads(scenario_text(raw)) == raw


PLAIN = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text())
NAMES = st.text(min_size=1, max_size=8)
ITEMS = st.one_of(PLAIN, st.lists(PLAIN, max_size=3), st.dictionaries(NAMES, PLAIN, max_size=3))


@given(st.dictionaries(NAMES, st.one_of(ITEMS, st.lists(st.dictionaries(NAMES, ITEMS)))))
def test_whatever_the_grammar_could_hold_survives_being_written(raw: dict[str, object]) -> None:
    assert tomllib.loads(scenario_text(raw)) == raw


def test_each_step_of_an_actor_has_a_line() -> None:
    raw = {"actor": [{"name": "a", "steps": [{"do": "offer"}, {"repeat": 2, "steps": []}]}]}
    assert scenario_text(raw).splitlines()[1:] == [
        "[[actor]]",
        'name = "a"',
        "steps = [",
        '  { do = "offer" },',
        "  { repeat = 2, steps = [] },",
        "]",
    ]
