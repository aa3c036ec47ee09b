# SPDX-License-Identifier: MIT
"""The strategies that draw lots: each finds what it is made for, and the same again by its seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import msgspec
import pytest

from sim.choices import NO_FAULT, PASSING, Fault, Option
from sim.explore.pct import PctStrategy
from sim.explore.pos import PosStrategy
from sim.explore.random import RandomStrategy
from sim.explore.sampling import MOMENTS_MIN, Rare, Walker, rare
from sim.explore.starve import StarveStrategy
from sim.explore.strategy import Plan, Strategy
from sim.explore.surw import SurwStrategy
from tests.sim.explore.bugs import BUGS, first_hit, profile, report_of
from tests.sim.explore.toys import Flow, ToyCpu

SAMPLERS = (RandomStrategy, PctStrategy, PosStrategy, SurwStrategy, StarveStrategy)
SEEDS = range(5)
MANY = 400

# What a strategy is not made for: a walk that takes turns starves nobody, and windows of starvation
# seldom come four in turn.
NOT_MADE_FOR: Mapping[str, tuple[str, ...]] = {
    "random": ("starved",),
    "starve": ("four in turn",),
}


@pytest.mark.parametrize(("make", "bug"), [*product(SAMPLERS, BUGS)])
def test_each_strategy_finds_the_planted_bugs_it_is_made_for(
    make: Callable[..., Strategy], bug: str
) -> None:
    strategy = make(profile(BUGS[bug]), 0)
    hits = [first_hit(BUGS[bug], make, seed, MANY) for seed in SEEDS]
    found = all(hit <= MANY for hit in hits)
    assert found == (bug not in NOT_MADE_FOR.get(strategy.name, ())), hits


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_seed_draws_the_same_schedules_again_and_another_seed_others(
    make: Callable[..., Strategy],
) -> None:
    bug = BUGS["four in turn"]
    baseline = profile(bug)
    batches = [make(baseline, seed).plans(40) for seed in (1, 1, 2)]
    assert batches[0] == batches[1] != batches[2]
    prints = [[report_of(bug, plan).fingerprint for plan in batch] for batch in batches]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("make", SAMPLERS)
def test_how_plans_are_batched_does_not_matter(make: Callable[..., Strategy]) -> None:
    baseline = profile(BUGS["late"])
    whole, parts = make(baseline, 3), make(baseline, 3)
    assert whole.plans(12) == [plan for size in (1, 4, 7) for plan in parts.plans(size)]
    assert not whole.exhausted


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_plan_is_plain_data_that_says_whose_it_is(make: Callable[..., Strategy]) -> None:
    strategy = make(profile(BUGS["late"]), 3)
    (plan,) = strategy.plans(1)
    assert plan.strategy == strategy.name
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(plan), type=type(plan)) == plan


def test_two_strategies_of_one_seed_draw_different_numbers() -> None:
    baseline = profile(BUGS["late"])
    drawn = [make(baseline, 7).plans(1)[0] for make in SAMPLERS]
    seeds = {msgspec.structs.asdict(plan)["seed"] for plan in drawn}
    assert len(seeds) == len(SAMPLERS)


class Last(Walker):
    """Picks the last who can go on."""

    def pick(self, options: object, runnable: int) -> int:  # noqa: ARG002 - the port has it
        return runnable - 1


def flow(name: str, at: str = "start") -> Flow:
    made = Flow(name, iter(()), ToyCpu(0))
    made.at = at
    return made


def test_time_passes_seldom_and_anywhere_in_the_window() -> None:
    options: list[Option] = [flow("a"), flow("b"), PASSING]
    first = []
    for seed in range(2000):
        walker = Last(seed, Rare(late=10, fault=1))
        first.append([walker.choose(options) for _ in range(10)].index(2))
    assert set(first) == set(range(10))
    assert max(map(first.count, range(10))) < 260


def test_a_fault_happens_seldom_and_anywhere_in_the_window() -> None:
    options = [NO_FAULT, Fault("fault ring-full", "sendpacket")]
    first = []
    for seed in range(2000):
        walker = Last(seed, Rare(late=1, fault=10))
        first.append([walker.choose(options) for _ in range(10)].index(1))
    assert set(first) == set(range(10))


def test_with_nobody_else_there_is_nothing_to_draw() -> None:
    class Forbidden(Walker):
        def pick(self, options: object, runnable: int) -> int:
            raise AssertionError(f"asked of {runnable} among {options}")

    assert Forbidden(0, Rare(late=10**9, fault=1)).choose([flow("a"), PASSING]) == 0


def test_a_window_is_twice_what_a_run_typically_has() -> None:
    assert rare(profile(BUGS["fault"])).fault == 12
    assert rare(profile(BUGS["fault"])).late == 2 * MOMENTS_MIN


def test_nothing_is_learnt_from_a_sample() -> None:
    bug = BUGS["late"]
    baseline = profile(bug)
    taught, untaught = RandomStrategy(baseline, 1), RandomStrategy(baseline, 1)
    plans: list[Plan] = taught.plans(3)
    for plan in plans:
        taught.learn(plan, report_of(bug, plan))
    untaught.plans(3)
    assert taught.plans(3) == untaught.plans(3)
