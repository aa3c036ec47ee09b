# SPDX-License-Identifier: MIT
"""What ``vpcisim explore`` does, from a setup to schedules that fail; prints and writes nothing.

An interruption is no loss: it ends what is under way, and what was found is kept as it was found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from sim.campaign import Found, PlayAll, Progress, Result, campaign
from sim.explore.profile import Baseline, baseline_of
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Plan, RunReport
from sim.keeping import Kept, as_found, explaining, shortened
from sim.player import Player, outcome
from sim.setup import Lab, Setup
from sim.sharing import shared_memory
from sim.workers import Run, WorkersDie, at_work


def baseline(setup: Setup) -> Baseline:
    """What the natural order of a setup has to choose from."""
    lab = Lab(setup)
    return baseline_of(lambda chooser: outcome(lab.world(chooser)))


@contextmanager
def players(setup: Setup, *, jobs: int, counts: Path | None = None) -> Iterator[PlayAll]:
    """What plays plans of a setup, in so many processes.

    ``counts`` is a folder where they add up which lines of the real driver they run.
    """
    with (
        shared_memory(1 if setup.driver == "model" else jobs) as memory,
        at_work(partial(_player, setup, counts, memory), jobs=jobs) as run,
    ):
        yield run


def _player(setup: Setup, counts: Path | None, memory: str | None) -> Callable[[Plan], RunReport]:
    if counts is None:
        return Player(setup, memory=memory)
    from sim.coverage import CountingPlayer  # ctypes' matters

    return CountingPlayer(setup, counts)


def explored(
    setup: Setup,
    *,
    strategy: str,
    schedules: int,
    seed: int,
    jobs: int,
    progress: Progress,
    counts: Path | None = None,
) -> Result:
    """Play many schedules by the strategy of that name; ``counts`` as :func:`players` has it.

    Raises NotDeterministic and WorkersDie.
    """
    source = STRATEGIES[strategy](baseline(setup), seed)
    with players(setup, jobs=jobs, counts=counts) as run:
        return campaign(source, run, schedules=schedules, progress=progress)


def keeping(
    setup: Setup,
    result: Result,
    *,
    seed: int,
    jobs: int,
    explain: bool,
    progress: Progress,
) -> Iterator[Kept]:
    """Each mistake that was found, with a schedule as short as it can be made.

    Interrupted, and where a process is killed, with the schedule that was found. Raises
    NotDeterministic.
    """
    short: dict[int, Kept] = {}
    if result.found and result.cut_short is None:
        start = partial(_shortening, setup, seed, (explaining,) if explain else ())
        with at_work(start, jobs=min(jobs, len(result.found))) as run:
            for place, kept in _until_interrupted(run, result.found):
                short[place] = kept
                progress(len(short), len(result.found))
    for place, found in enumerate(result.found):
        yield short.get(place) or as_found(setup, found, seed=seed)


def _shortening(
    setup: Setup, seed: int, more: Sequence[Callable[[Kept], Kept]]
) -> Callable[[Found], Kept]:
    """What makes one mistake's schedule short, and what more is wanted of it."""

    def do(found: Found) -> Kept:
        kept = shortened(setup, found, seed=seed)
        for step in more:
            kept = step(kept)
        return kept

    return do


def _until_interrupted(
    run: Run[Found, Kept], mistakes: Sequence[Found]
) -> Iterator[tuple[int, Kept]]:
    try:
        for place, kept in run(mistakes):
            if isinstance(kept, Kept):
                yield place, kept
    except (KeyboardInterrupt, WorkersDie):
        return
