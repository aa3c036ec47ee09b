# SPDX-License-Identifier: MIT
"""The exhaustive pass over delays: exactly the schedules counted by hand, each once."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from sim.explore.delay import ANY_LENGTH, ENDS, LENGTHS, DelayStrategy
from sim.explore.delay_plan import DelayPlan, LongestPlan
from sim.explore.delays import Delay, FaultAt
from sim.explore.strategy import LOST, Exhausted
from sim.explore.until import steps
from tests.sim.explore.bugs import BUGS, Bug, first_hit, profile, report_of, reports
from tests.sim.explore.toys import Sleep, points

TWO = Bug({"a": points("p"), "b": points("q", "r")})  # two steps, then three


def clean(bug: Bug) -> Bug:
    """The toy with the end that no harm was done."""
    return Bug({**bug.bodies, "z": lambda toy: iter([str(toy.state.setdefault("harm", False))])})


def untils(bug: Bug, most: int = 10_000) -> list[tuple[Delay, ...]]:
    strategy = DelayStrategy(profile(bug), 1)
    played = [plan for plan, _ in reports(bug, strategy, most)]
    return [plan.delays for plan in played if isinstance(plan, DelayPlan)]


def test_the_singles_of_a_toy_are_those_counted_by_hand() -> None:
    """``a`` can be held at its start and at p while b does its three steps and z its two.

    ``b`` can be held at its start, while a does its two and z, then at q and r, while z does.
    """
    played = untils(clean(TWO))
    singles = [delays for delays in played if len(delays) == 1]
    assert len(singles) == len(set(singles)) == 5 + 5 + 4 + 2 + 2
    assert {delay.until for (delay,) in singles if delay.context == "a"} == {
        *("idle", *(steps(n) for n in range(1, 5)))
    }
    assert {delay.until for (delay,) in singles if delay.point == "r"} == {"idle", "steps 1"}
    assert played[0] == ()


def test_pairs_are_of_different_stops_and_none_comes_twice() -> None:
    pairs = [delays for delays in untils(clean(TWO), 120) if len(delays) == 2]
    assert len(pairs) > 50
    assert len(set(pairs)) == len(pairs)
    assert all(one.stop != other.stop for one, other in pairs)


def test_what_is_exhausted_is_said_when_it_is_and_not_before() -> None:
    bug = clean(TWO)
    strategy = DelayStrategy(profile(bug), 1)
    said: list[tuple[Exhausted, ...]] = []
    while len(said) < 30:
        for plan in strategy.plans(3):
            strategy.learn(plan, report_of(bug, plan))
        said.append(strategy.exhausted)
    assert said[:3] == [(), (Exhausted(ENDS, 6),), (Exhausted(ENDS, 6),)]
    assert said[-1] == (Exhausted(ANY_LENGTH, 1 + 18),)


def test_nothing_is_exhausted_once_a_schedule_was_lost() -> None:
    bug = clean(TWO)
    strategy = DelayStrategy(profile(bug), 1)
    for plan in strategy.plans(6):
        strategy.learn(plan, replace(report_of(bug, plan), verdict=LOST))
    assert not strategy.exhausted
    assert strategy.passed


def test_each_stop_at_which_time_may_pass_is_held_until_it_has() -> None:
    bug = Bug({"a": points("p"), "b": lambda _: iter([Sleep("nap")])}, lates=1)
    bug = Bug(clean(bug).bodies, lates=1)
    lates = [d for delays in untils(bug, 60) for d in delays if d.until == "late"]
    assert {(d.context, d.point) for d in lates} == {("z", "start"), ("z", "False")}


def test_shorter_delays_come_by_length_and_last_where_the_longest_changed_nothing() -> None:
    bug = clean(Bug({"a": points("p"), "b": points(*"qrstuvw")}))
    lengths = [
        int(delay.until.split()[1])
        for (delay,) in (delays for delays in untils(bug) if len(delays) == 1)
        if delay.until.startswith("steps")
    ]
    doubling = [length for length in lengths if length in LENGTHS]
    assert doubling == sorted(doubling)
    assert lengths.index(5) > lengths.index(8)


def test_the_longest_delay_tells_the_next_shorter_one() -> None:
    bug = clean(TWO)
    report = report_of(bug, LongestPlan((Delay("a", "p"),)))
    assert report.branches == (DelayPlan((Delay("a", "p", 1, steps(4)),)),)
    assert not report_of(bug, LongestPlan((Delay("z", "False"),))).branches


def test_each_fault_that_could_happen_happens_once_alone() -> None:
    bug = BUGS["fault"]
    strategy = DelayStrategy(profile(bug), 1)
    played = [plan for plan, _ in reports(bug, strategy, 100) if isinstance(plan, DelayPlan)]
    alone = [plan.faults for plan in played if plan.departures == len(plan.faults) == 1]
    assert alone == [(FaultAt("fault ring-full", "sendpacket", n),) for n in range(1, 7)]
    assert any(plan.faults and plan.delays for plan in played)


@pytest.mark.parametrize("bug", BUGS)
def test_delays_find_what_a_delay_or_two_bring_about(bug: str) -> None:
    assert first_hit(BUGS[bug], DelayStrategy, 1, 300) <= 300


def test_the_singles_do_not_depend_on_the_seed_and_the_pairs_do() -> None:
    bug = clean(TWO)
    one, same, other = (
        [plan for plan, _ in reports(bug, DelayStrategy(profile(bug), seed), 60)]
        for seed in (1, 1, 2)
    )
    assert one == same != other
    assert one[:6] == other[:6]
