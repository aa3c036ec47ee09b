# SPDX-License-Identifier: MIT
"""The study of bugs and strategies counts schedules, and says what lies beyond its cap."""

import subprocess
import sys

from sim.explore.strategies import STRATEGIES
from tests.house.sources import ROOT


def test_a_table_has_a_row_for_each_bug_and_a_column_for_each_strategy() -> None:
    asked = ["eject-ref-leak", "eject-lists-late-delete", "--cap", "1", "--seeds", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.defects", *asked],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    rows = [line.strip("| ").split(" | ") for line in done.stdout.splitlines()]
    assert rows[0] == ["historical bug", *STRATEGIES]
    # The one needs no luck; no strategy meets the other in the order it begins with.
    assert rows[2] == ["eject-ref-leak", *["1"] * len(STRATEGIES)]
    assert rows[3] == ["eject-lists-late-delete", *[">1"] * len(STRATEGIES)]
    assert rows[4][0] == "*schedules per second*"
