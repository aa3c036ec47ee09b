# SPDX-License-Identifier: MIT
"""The study of where a life goes prints the same calls each time it is run."""

import re
import subprocess
import sys

from tests.house.sources import ROOT


def calls_by_module() -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.life_by_module"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    rows = re.findall(r"% +([\d.]+) calls  (\S+\.py)", done.stdout)
    return {module: calls for calls, module in rows}


def test_calls_are_the_same_in_every_run() -> None:
    first = calls_by_module()
    assert "sim/engine.py" in first
    assert calls_by_module() == first
