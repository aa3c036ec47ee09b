# SPDX-License-Identifier: MIT
"""Exhaustive search: every order once, and with sleep sets every end still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sim.choices import NO_FAULT, PASSING, Fault
from sim.explore import dfs_run
from sim.explore.dfs import BUT_FOR, DfsStrategy
from sim.explore.dfs_run import DfsChooser, Trunk
from sim.explore.independence import Step, independent, step_of
from sim.explore.strategy import LOST, Exhausted
from tests.sim.explore.bugs import BUGS, Bug, first_hit, play, profile, report_of, reports
from tests.sim.explore.test_sampling import flow
from tests.sim.explore.toys import AskingToy, Body, Toy

MANY = 20_000
ALL = "any number of departures"


def writer(name: str, things: str) -> Body:
    """A context that writes its name to each thing under that thing's lock."""

    def body(toy: Toy) -> Iterator[object]:
        toy.state.setdefault("harm", False)
        for thing in things:
            yield f"lock {thing}"
            toy.state[thing] = toy.state.get(thing, "") + name
            yield f"unlock {thing}"

    return body


def asleep_never(_: Step, __: Step) -> bool:
    return False


def ends(bug: Bug, most: int = MANY) -> tuple[set[str], int, DfsStrategy]:
    """The end states, in how many schedules; without what lies behind a sleeper's step."""
    strategy = DfsStrategy(profile(bug), 0)
    found: set[str] = set()
    played = 0
    for plan, _ in reports(bug, strategy, most):
        chooser = plan.chooser()
        toy = AskingToy(bug.bodies, chooser)
        assert isinstance(chooser, DfsChooser)
        state = str(sorted(toy.run().items()))
        if not chooser.redundant:
            found.add(state)
        played += 1
    return found, played, strategy


@pytest.mark.parametrize(("one", "other"), [(1, 1), (2, 1), (2, 3)])
def test_every_order_of_two_contexts_is_played_once(
    one: int, other: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has two points and so three steps to a thing; orders are choices of places."""
    monkeypatch.setattr(dfs_run, "independent", asleep_never)
    bug = Bug({"a": writer("a", "x" * one), "b": writer("b", "y" * other)})
    steps = (1 + 2 * one, 1 + 2 * other)
    _, played, strategy = ends(bug)
    assert played == comb(sum(steps), steps[0])
    assert strategy.exhausted == (Exhausted(f"{ALL}{BUT_FOR}", played, complete=True),)


def test_no_schedule_is_played_twice() -> None:
    bug = BUGS["use after free"]
    strategy = DfsStrategy(profile(bug), 0)
    prints = [report.fingerprint for _, report in reports(bug, strategy, MANY)]
    assert len(prints) == len(set(prints))


def test_sleep_sets_leave_out_orders_of_what_is_independent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bug = Bug({"a": writer("a", "xx"), "b": writer("b", "yy")})
    fewer = ends(bug)
    monkeypatch.setattr(dfs_run, "independent", asleep_never)
    more = ends(bug)
    assert fewer[0] == more[0]
    assert fewer[1] < more[1] / 2


PROGRAMS = st.lists(st.text("xyz", min_size=1, max_size=2), min_size=2, max_size=3).filter(
    lambda programs: sum(map(len, programs)) <= 4  # some thousand orders at most
)


@settings(max_examples=12, deadline=None)
@given(PROGRAMS)
def test_sleep_sets_lose_no_end_state(programs: list[str]) -> None:
    bug = Bug({name: writer(name, things) for name, things in zip("abc", programs, strict=False)})
    with pytest.MonkeyPatch.context() as patch:
        asleep = ends(bug, 3000)
        patch.setattr(dfs_run, "independent", asleep_never)
        awake = ends(bug, 3000)
    assert asleep[0] >= awake[0] or asleep[1] == 3000
    assert asleep[1] <= awake[1]


def test_a_relation_that_is_wrong_loses_end_states(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the law above can fail."""
    bug = Bug({"a": writer("a", "xx"), "b": writer("b", "xx")})
    right = ends(bug)[0]
    monkeypatch.setattr(dfs_run, "independent", lambda one, other: one is not other)
    assert ends(bug)[0] < right


def test_the_bound_on_departures_is_raised_when_it_is_exhausted() -> None:
    bug = Bug({"a": writer("a", "x"), "b": writer("b", "x")})
    strategy = DfsStrategy(profile(bug), 0)
    bounds = {}
    for plan, report in reports(bug, strategy, MANY):
        del plan, report
        bounds.update({e.bound.removesuffix(BUT_FOR): e.schedules for e in strategy.exhausted})
    assert bounds["at most 0 departures"] == 1
    assert bounds["at most 1 departures"] > 3
    assert strategy.exhausted[0].bound == f"{ALL}{BUT_FOR}"


def test_a_run_with_fewer_departures_comes_first() -> None:
    bug = BUGS["four in turn"]
    strategy = DfsStrategy(profile(bug), 0)
    departures = [
        len(play(bug, plan.chooser()).diverted) for plan, _ in reports(bug, strategy, 200)
    ]
    assert departures[0] == 0
    assert set(departures[1:5]) == {1}


def test_lateness_and_faults_are_branched_at_too() -> None:
    for name in ("late", "fault"):
        assert first_hit(BUGS[name], DfsStrategy, 0, 600) <= 600


@pytest.mark.parametrize("bug", ["use after free", "four in turn"])
def test_a_small_toy_is_searched_to_its_bug(bug: str) -> None:
    assert first_hit(BUGS[bug], DfsStrategy, 0, 2000) <= 2000


def test_nothing_is_exhausted_once_a_schedule_was_lost() -> None:
    bug = BUGS["late"]
    strategy = DfsStrategy(profile(bug), 0)
    for _ in range(3):
        for plan in strategy.plans(50):
            strategy.learn(plan, replace(report_of(bug, plan), verdict=LOST))
    assert not strategy.exhausted


def test_a_run_longer_than_is_looked_at_is_not_exhausted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dfs_run, "DEPTH_MAX", 2)
    _, played, strategy = ends(Bug({"a": writer("a", "xx"), "b": writer("b", "x")}))
    assert played == 4
    assert not strategy.exhausted


def test_a_trunk_plays_its_own_run_again() -> None:
    bug = BUGS["four in turn"]
    strategy = DfsStrategy(profile(bug), 0)
    for plan, report in reports(bug, strategy, 30):
        (trunk,) = report.branches
        assert isinstance(trunk, Trunk)
        assert play(bug, trunk.chooser()).log == play(bug, plan.chooser()).log


def lock_step(cpu: int, before: str, after: str) -> Step:
    return Step(f"on {cpu}", 1, cpu, before, after)


INDEPENDENT = lock_step(0, "lock x", "unlock x"), lock_step(1, "lock y", "unlock y")


@pytest.mark.parametrize(
    "change",
    [
        lambda one, _: one._replace(cpu=1),
        lambda one, _: one._replace(cpu=-1),
        lambda one, _: one._replace(after=""),
        lambda one, _: one._replace(before="start"),
        lambda one, _: one._replace(after="sendpacket"),
        lambda one, _: one._replace(before="unlock y"),
        lambda one, other: one._replace(after=other.after),
    ],
)
def test_steps_are_independent_only_under_different_locks_on_different_cpus(
    change: Callable[[Step, Step], Step],
) -> None:
    one, other = INDEPENDENT
    assert independent(one, other)
    assert independent(other, one)
    assert not independent(change(one, other), other)
    assert not independent(other, change(one, other))


def test_nobody_knows_what_time_and_faults_touch() -> None:
    options = (PASSING, NO_FAULT, Fault("fault ring-full", "lock x"))
    assert {step_of(option).cpu for option in options} == {-1}
    assert step_of(flow("a", "lock x")) == Step("a", 0, 0, "lock x")
