# SPDX-License-Identifier: MIT
"""The study of the driver without bugs tells what came of each scenario, and fails if it must."""

import subprocess
import sys
from pathlib import Path

from sim.scenario_reader import find_scenario
from tests.house.sources import ROOT


def explored(scenario: str) -> subprocess.CompletedProcess[str]:
    asked = [scenario, "--timeouts", "1"]  # one batch of schedules
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.clean", *asked], capture_output=True, text=True, cwd=ROOT
    )


def test_a_scenario_with_nothing_but_what_is_known_passes() -> None:
    done = explored("rescind-during-query")
    assert done.returncode == 0
    assert done.stdout.startswith("rescind-during-query")
    assert " clean" in done.stdout


def test_an_eject_that_comes_twice_is_told_with_the_schedule(tmp_path: Path) -> None:
    text = find_scenario("eject-in-use").read_text(encoding="utf-8")
    odd = tmp_path / "odd.toml"
    odd.write_text(text + "\n[host.knobs]\nrepeat_eject = true\n", encoding="utf-8")
    done = explored(str(odd))
    assert done.returncode == 1
    assert "DelayPlan" in done.stdout
