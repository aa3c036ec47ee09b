# SPDX-License-Identifier: MIT
"""The benchmark of schedules has a row for each strategy; how fast they are is nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sim.bench import explore
from sim.cli import main
from sim.explore.strategies import STRATEGIES
from sim.setup import read_setup


@pytest.fixture(autouse=True)
def _few_schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explore, "ROUNDS", 1)
    monkeypatch.setattr(explore, "SCHEDULES", 3)
    monkeypatch.setattr(explore, "simpy_timeouts_per_s", lambda: 1000.0)


def test_each_strategy_has_a_row_with_the_keys_that_programs_read() -> None:
    rows = explore.measure(read_setup("arrival"), scenario="arrival", seed=1)
    assert [row["strategy"] for row in rows] == list(STRATEGIES)
    for row in rows:
        assert (row["driver"], row["scenario"]) == ("model", "arrival")
        assert row["timeouts_per_schedule"] == pytest.approx(1000 / row["schedules_per_s"])
        assert row["two_jobs_ratio"] > 0
    (delay,) = (row for row in rows if row["strategy"] == "delay")
    assert delay["pass_schedules"] > 100
    assert delay["pass_timeouts"] > delay["timeouts_per_schedule"]


def test_the_command_prints_rows_or_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "explore", "--scenario", "arrival", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == len(STRATEGIES)
    assert main(["bench", "explore", "--scenario", "arrival"]) == 0
    table = capsys.readouterr().out.splitlines()
    assert len(table) == len(STRATEGIES) + 2
    assert table[-1].startswith("the pass over single delays: ")


def test_a_wrong_scenario_is_one_line_with_the_names(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["bench", "explore", "--scenario", str(tmp_path / "nowhere")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
