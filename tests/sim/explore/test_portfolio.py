# SPDX-License-Identifier: MIT
"""The portfolio: single delays first, then everybody's share, and each learns of its own plans."""

from __future__ import annotations

from collections import Counter

import pytest

from sim.explore.delay import DelayStrategy
from sim.explore.delay_plan import DelayPlan
from sim.explore.portfolio import SHARE_OF_DELAYS, SHARES, Portfolio
from sim.explore.strategies import STRATEGIES
from tests.sim.explore.bugs import BUGS, first_hit, profile, report_of, reports

ROUND = SHARE_OF_DELAYS + sum(SHARES.values())


@pytest.mark.parametrize("bug", BUGS)
def test_every_planted_bug_is_found(bug: str) -> None:
    hits = [first_hit(BUGS[bug], Portfolio, seed, 400) for seed in range(3)]
    assert max(hits) <= 400


def test_single_delays_come_first_but_for_a_quarter_and_then_a_round_has_everybodys_share() -> None:
    bug = BUGS["starved"]
    strategy = Portfolio(profile(bug), 1)
    singles = DelayStrategy(profile(bug), 1).ends_left
    played = [plan for plan, _ in reports(bug, strategy, 1000)]
    first = [plan.delays for plan in played[: singles * 3 // 4] if isinstance(plan, DelayPlan)]
    assert len(first) >= singles * 9 // 16
    assert {delay.until for delays in first for delay in delays} <= {"idle", "late"}
    share = Counter(plan.strategy for plan in played[2 * singles : 2 * singles + 5 * ROUND])
    assert set(share) == {*STRATEGIES} - {"portfolio"}
    assert share["pct"] > share["starve"] > 0


def test_a_batch_is_filled_whoever_is_exhausted() -> None:
    bug = BUGS["use after free"]
    strategy = Portfolio(profile(bug), 1)
    for _ in range(60):
        batch = strategy.plans(50)
        assert len(batch) == 50
        for plan in batch:
            strategy.learn(plan, report_of(bug, plan))
    bounds = [bound.bound.partition(",")[0] for bound in strategy.exhausted]
    assert bounds == ["one fault", "at most 2 departures"]


def test_a_seed_plays_the_same_again() -> None:
    bug = BUGS["four in turn"]
    one, same, other = (
        [plan for plan, _ in reports(bug, Portfolio(profile(bug), seed), 200)] for seed in (1, 1, 2)
    )
    assert one == same != other


def test_every_strategy_has_the_name_it_is_listed_under() -> None:
    baseline = profile(BUGS["late"])
    made = {name: make(baseline, 0) for name, make in STRATEGIES.items()}
    assert all(strategy.name == name for name, strategy in made.items())
    for name, strategy in made.items():
        (plan,) = strategy.plans(1)
        assert plan.strategy == (name if name != "portfolio" else "delay")
