# SPDX-License-Identifier: MIT
"""PCT keeps what its paper promises: a bug of depth d in one of n k^(d-1) runs."""

from __future__ import annotations

import pytest

from sim.explore.pct import DEPTHS, PctPlan, PctStrategy
from sim.explore.sampling import Rare
from tests.sim.explore.bugs import BUGS, play, profile, report_of
from tests.sim.explore.toys import Toy, points

RUNS = 3000


def harmed(name: str, depth: int) -> tuple[float, int, int]:
    """The share of runs at a depth that come to harm; n and k."""
    bug = BUGS[name]
    strategy = PctStrategy(profile(bug), 11, depths=(depth,))
    plans = strategy.plans(RUNS)
    choices = next(plan.choices for plan in plans if isinstance(plan, PctPlan))
    hits = sum(report_of(bug, plan).violation is not None for plan in plans)
    return hits / RUNS, len(bug.bodies), choices


@pytest.mark.parametrize(("name", "depth"), [("use after free", 2), ("four in turn", 3)])
def test_a_bug_is_found_as_often_as_its_depth_promises(name: str, depth: int) -> None:
    share, contexts, choices = harmed(name, depth)
    assert share >= 1 / (contexts * choices ** (depth - 1))


@pytest.mark.parametrize(("name", "depth"), [("use after free", 1), ("four in turn", 2)])
def test_a_bug_deeper_than_the_depth_is_not_found(name: str, depth: int) -> None:
    assert harmed(name, depth)[0] == 0


def test_a_run_of_depth_one_switches_only_where_somebody_ends() -> None:
    bodies = {name: points("p", "p", "p") for name in "abc"}
    firsts = set()
    for seed in range(60):
        log: list[str] = []
        toy = Toy(bodies, PctPlan(seed, Rare(1, 1), 1, 8).chooser())
        toy.run()
        log = [line[0] for line in toy.log]
        assert log == sorted(log, key=log.index)
        firsts.add("".join(dict.fromkeys(log)))
    assert len(firsts) == 6


def test_depths_are_taken_in_turn() -> None:
    strategy = PctStrategy(profile(BUGS["late"]), 1)
    depths = [plan.depth for plan in strategy.plans(5) if isinstance(plan, PctPlan)]
    assert depths == [*DEPTHS, DEPTHS[0]]


def test_whoever_was_lowered_goes_on_only_when_nobody_else_can() -> None:
    """With one change at the first choice, who would have begun comes last."""
    bug = BUGS["use after free"]
    for seed in range(20):
        plain = play(bug, PctPlan(seed, Rare(1, 1), 1, 1).chooser())
        lowered = play(bug, PctPlan(seed, Rare(1, 1), 2, 1).chooser())
        if plain.log[0].split()[0] == lowered.log[-1].split()[0]:
            return
    raise AssertionError("nobody was ever lowered")
