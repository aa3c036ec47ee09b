# SPDX-License-Identifier: MIT
"""The study of growth counts the same each time, and more where there is more."""

import subprocess
import sys

from tests.house.sources import ROOT


def rows() -> list[list[int]]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    lines = done.stdout.splitlines()[2:]
    return [[int(cell.replace(",", "")) for cell in line.strip("| ").split("|")] for line in lines]


def test_two_devices_leave_more_to_explore_than_one_and_one_vector_less_than_two() -> None:
    by_world = {tuple(row[:3]): row[3:] for row in rows()}
    for more, fewer in (((2, 8, 2), (1, 8, 2)), ((1, 8, 2), (1, 8, 1))):
        assert all(a > b for a, b in zip(by_world[more], by_world[fewer], strict=True))
