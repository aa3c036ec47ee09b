# SPDX-License-Identifier: MIT
"""The study of an unmodified driver plays what it can play, and says what came of it."""

import subprocess
import sys
from pathlib import Path

from tests.house.sources import ROOT
from tests.kernel_trees import tree_of

SCENARIOS = ("rescind-during-query", "arm64-arrival")  # the second is the model's alone


def test_a_scenario_of_the_real_driver_is_told_in_a_line(tmp_path: Path) -> None:
    options = ("--tree", str(tree_of("6.12")), "--schedules", "3", "--save", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.findings", *options, *SCENARIOS],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    (line,) = [line for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert line.startswith("rescind-during-query")
    assert "3 schedules" in line
