# SPDX-License-Identifier: MIT
"""Where a device's life is spent: function calls by module, which do not depend on the machine.

Run with ``python -m benchmarks.life_by_module``. The share of time is the profiler's and therefore
only a hint; the number of calls is the same in every run of the same code, so that a change can be
judged on a noisy machine too.
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from pathlib import PurePath
from typing import NamedTuple

from sim.bench.lifecycle import one_life
from sim.world import World

LIVES = 50
ROWS = 25
PACKAGES = ("protocol", "guest", "host", "sim")


class Row(NamedTuple):
    """One module: calls of its functions in one life, and its share of the profiled time."""

    module: str
    calls: float
    share: float


def measure(lives: int = LIVES) -> list[Row]:
    """The modules by falling number of calls; warmed up by one run, so that remembered answers are
    there."""
    World(one_life(lives=lives)).run()
    world = World(one_life(lives=lives))
    profile = cProfile.Profile()
    profile.enable()
    world.run()
    profile.disable()
    calls: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    # pstats keeps {(file, line, function): (primitive calls, calls, own time, …)} in ``stats``.
    for (file, _, _), (_, count, own_s, *_) in vars(pstats.Stats(profile))["stats"].items():
        calls[_module(file)] += count
        seconds[_module(file)] += own_s
    total_s = sum(seconds.values())
    return [
        Row(module, count / lives, seconds[module] / total_s)
        for module, count in calls.most_common()
    ]


def _module(file: str) -> str:
    """``guest/kernel/sync.py`` for our own files, the file's name for others."""
    parts = PurePath(file).parts
    for package in PACKAGES:
        if package in parts:
            return "/".join(parts[parts.index(package) :])
    return PurePath(file).name


def main() -> None:
    """Print the table."""
    rows = measure()
    print(f"{sum(row.calls for row in rows):,.0f} calls in a life")
    for row in rows[:ROWS]:
        print(f"{row.share:6.1%} {row.calls:8.1f} calls  {row.module}")


if __name__ == "__main__":
    main()
