# SPDX-License-Identifier: MIT
"""What a test that uses the fixture ``vpci`` imports: stories in Python, and what came of a run.

Importing it costs next to nothing; the laboratory itself is imported when a world is built.
"""

from sim.testing.fixture import Options, Vpci
from sim.testing.story import Story, after, device, do, repeat, story, wait, within
from sim.testing.told import Run, Violated

__all__ = [
    "Options",
    "Run",
    "Story",
    "Violated",
    "Vpci",
    "after",
    "device",
    "do",
    "repeat",
    "story",
    "wait",
    "within",
]
