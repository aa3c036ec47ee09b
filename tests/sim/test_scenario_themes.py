# SPDX-License-Identifier: MIT
"""The built-in scenarios are listed by theme."""

from __future__ import annotations

import pytest

from sim.cli import BAD_INPUT, OK, main
from sim.scenario_reader import built_in_names
from sim.scenario_themes import THEMES, theme_of, themes_of


@pytest.mark.parametrize("name", built_in_names())
def test_a_built_in_scenario_has_one_theme(name: str) -> None:
    assert len(themes_of(name)) == 1, f"add {name} to sim/scenario_themes.py"


def test_no_theme_is_empty() -> None:
    assert set(map(theme_of, built_in_names())) == THEMES.keys()


def test_a_theme_lists_its_scenarios_and_no_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "numa"]) == OK
    heading, *lines = capsys.readouterr().out.splitlines()
    assert heading == "numa: which node a device is near"
    names = [line.split()[0] for line in lines if line[2] != " "]
    assert names == [name for name in built_in_names() if theme_of(name) == "numa"]


def test_without_a_theme_each_scenario_is_listed_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == OK
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert sorted(names) == sorted(built_in_names())


def test_a_theme_that_is_none_is_told_with_those_that_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["scenarios", "weather"]) == BAD_INPUT
    told = capsys.readouterr().err
    assert told.startswith("vpcisim scenarios: no theme 'weather'; there are arrival, refusal, ")
