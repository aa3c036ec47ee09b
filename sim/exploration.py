# SPDX-License-Identifier: MIT
"""What ``vpcisim explore`` does, from a setup to schedule files; prints nothing.

An interruption is no loss: it ends what is under way, and what was found goes on to be kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sim.campaign import Progress, Result, campaign, players
from sim.explore.profile import Baseline, baseline_of
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Strategy
from sim.keeping import Kept, kept, written
from sim.player import outcome
from sim.setup import Lab, Setup


def baseline(setup: Setup) -> Baseline:
    """What the natural order of a setup has to choose from."""
    lab = Lab(setup)
    return baseline_of(lambda chooser: outcome(lab.world(chooser)))


def explored(
    setup: Setup, *, strategy: str, schedules: int, seed: int, jobs: int, progress: Progress
) -> Result:
    """Play many schedules by the strategy of that name. Raises NotDeterministic."""
    source: Strategy = STRATEGIES[strategy](baseline(setup), seed)
    with players(setup, jobs=jobs) as run:
        return campaign(source, run, schedules=schedules, progress=progress)


def keeping(setup: Setup, result: Result, *, seed: int, folder: Path) -> Iterator[Kept]:
    """Each mistake that was found, as a schedule file in the folder."""
    for found in result.found:
        yield written(kept(setup, found, seed=seed), folder)
