# SPDX-License-Identifier: MIT
"""A campaign keeps each mistake once, loses nothing it found, and does not depend on who played."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest

from sim.campaign import (
    BATCH_PLANS,
    CHECKED_OF,
    INTERRUPTED,
    NotDeterministic,
    PlayAll,
    Result,
    Share,
    campaign,
)
from sim.choices import Chooser, RandomChooser
from sim.explore.strategy import Exhausted, Plan, RunReport
from sim.violation import Violation
from sim.workers import Lost, Workers, WorkersDie, starting


class Numbered(Plan, frozen=True, tag=True):
    """A plan that is nothing but its number."""

    strategy = "counting"
    number: int

    def chooser(self) -> Chooser:
        return RandomChooser(self.number)


class Counting:
    """Hands out numbers, and remembers what it learnt."""

    name = "counting"
    exhausted = (Exhausted("one number", 1),)

    def __init__(self, has: int = 10_000) -> None:
        self._left = list(range(has))
        self.learnt: list[tuple[int, str]] = []
        self.batches: list[int] = []

    def plans(self, most: int) -> list[Plan]:
        given, self._left = self._left[:most], self._left[most:]
        self.batches.append(len(given))
        return [Numbered(number) for number in given]

    def learn(self, plan: Plan, report: RunReport) -> None:
        assert isinstance(plan, Numbered)
        self.learnt.append((plan.number, report.verdict))


def came(plan: Plan, *, kind: str | None = None, unplayed: str | None = None) -> RunReport:
    """What came of a plan: its number is its trace; a violation of that kind, if any."""
    assert isinstance(plan, Numbered)
    violation = kind and Violation(kind, "a law", f"object {plan.number}", "host", plan.number)
    return RunReport(
        verdict="violation" if violation else "clean",
        fingerprint=plan.number % 10,
        steps=1,
        choices=1,
        violation=violation or None,
        unplayed=unplayed,
    )


def kind_of(number: int) -> str | None:
    return {3: "leak", 5: "hang", 7: "leak"}.get(number % 200)


def playing(plan: Plan) -> RunReport:
    assert isinstance(plan, Numbered)
    return came(plan, kind=kind_of(plan.number))


def start_playing() -> Callable[[Plan], RunReport]:
    return playing


def one_by_one(
    plans: Sequence[Plan], *, play: Callable[[Plan], RunReport] = playing
) -> Iterator[tuple[int, RunReport]]:
    for place, plan in enumerate(plans):
        yield place, play(plan)


def told(result: Result) -> Result:
    """A result without what the clock says."""
    return msgspec.structs.replace(result, seconds=0.0)


def test_each_mistake_is_kept_once_by_its_first_schedule() -> None:
    result = campaign(Counting(), one_by_one, schedules=400)
    assert [(found.number, found.plan) for found in result.found] == [
        (4, Numbered(3)),
        (6, Numbered(5)),
    ]
    assert result.shares == (Share("counting", 400, 6),)
    assert (result.closing.schedules, result.closing.failed) == (400, 6)
    assert result.closing.distinct_traces == 10
    assert result.closing.exhausted == (Exhausted("one number", 1),)


def test_of_the_schedules_that_show_a_mistake_the_nearest_to_natural_order_is_kept() -> None:
    decisions = {3: (1, 2, 1), 7: (0, 3), 203: (0, 1), 207: ()}

    def play(plan: Plan) -> RunReport:
        assert isinstance(plan, Numbered)
        report = playing(plan)
        return msgspec.structs.replace(report, decisions=decisions.get(plan.number, ()))

    result = campaign(Counting(), partial(one_by_one, play=play), schedules=204)
    leak = result.found[0]
    assert (leak.number, leak.plan, leak.report.decisions) == (4, Numbered(3), (0, 3))


def test_a_strategy_with_nothing_left_ends_the_campaign() -> None:
    result = campaign(Counting(has=3), one_by_one, schedules=400)
    assert result.closing.schedules == 3
    assert result.cut_short is None


def test_every_plan_is_learnt_in_its_order_before_the_next_batch() -> None:
    strategy = Counting()

    def backwards(plans: Sequence[Plan]) -> Iterator[tuple[int, RunReport]]:
        assert len(strategy.learnt) == sum(strategy.batches[:-1])
        yield from reversed(list(one_by_one(plans)))

    campaign(strategy, backwards, schedules=300)
    assert [number for number, _ in strategy.learnt] == list(range(300))
    assert strategy.batches == [BATCH_PLANS, BATCH_PLANS, 300 - 2 * BATCH_PLANS]


def test_one_schedule_in_a_hundred_is_played_twice() -> None:
    played: list[Plan] = []

    def play(plan: Plan) -> RunReport:
        played.append(plan)
        return playing(plan)

    result = campaign(Counting(), partial(one_by_one, play=play), schedules=350)
    twice = {plan for plan in played if played.count(plan) == 2}
    assert twice == {Numbered(number * CHECKED_OF) for number in range(4)}
    assert result.closing.determinism_checks == 4
    assert result.closing.schedules == 350


def test_a_schedule_that_comes_out_in_two_ways_ends_the_campaign() -> None:
    played: list[Plan] = []

    def play(plan: Plan) -> RunReport:
        played.append(plan)
        return msgspec.structs.replace(playing(plan), fingerprint=len(played))

    with pytest.raises(
        NotDeterministic, match=r"^schedule 1 \(counting\), .* another fingerprint$"
    ):
        campaign(Counting(), partial(one_by_one, play=play), schedules=10)


def test_ctrl_c_keeps_what_was_found_even_in_the_batch_it_came_in() -> None:
    def interrupted(plans: Sequence[Plan]) -> Iterator[tuple[int, RunReport]]:
        for place, report in one_by_one(plans):
            if report.violation is not None and report.violation.kind == "hang":
                yield place, report
                raise KeyboardInterrupt
            if place % 2:  # others are still under way
                yield place, report

    result = campaign(Counting(), interrupted, schedules=400)
    assert result.cut_short == INTERRUPTED
    assert [found.number for found in result.found] == [4, 6]
    assert result.closing.schedules == 3


@pytest.mark.parametrize("plans_played", [0, 20])
def test_workers_that_die_end_the_campaign_and_take_nothing_with_them(plans_played: int) -> None:
    def dying(plans: Sequence[Plan]) -> Iterator[tuple[int, RunReport]]:
        yield from one_by_one(plans[:plans_played])
        raise WorkersDie("11 processes in a row ended")

    if not plans_played:
        with pytest.raises(WorkersDie):
            campaign(Counting(), dying, schedules=400)
        return
    result = campaign(Counting(), dying, schedules=400)
    assert result.cut_short == "11 processes in a row ended"
    assert (len(result.found), result.closing.schedules) == (2, 20)


def test_lost_schedules_are_counted_and_learnt_as_lost() -> None:
    def losing(plans: Sequence[Plan]) -> Iterator[tuple[int, RunReport | Lost]]:
        for place, report in one_by_one(plans):
            yield place, Lost("SIGKILL") if place in (0, 5) else report

    strategy = Counting()
    result = campaign(strategy, losing, schedules=20)
    assert (result.closing.lost, result.closing.schedules) == (2, 18)
    assert [found.number for found in result.found] == [4]
    assert [number for number, verdict in strategy.learnt if verdict == "lost"] == [0, 5]


def test_steps_that_come_to_nothing_are_counted() -> None:
    play = partial(came, unplayed="step 3")
    assert campaign(Counting(), partial(one_by_one, play=play), schedules=7).unplayed == 7


def test_progress_is_told_as_results_come() -> None:
    seen: list[tuple[int, int]] = []
    campaign(
        Counting(),
        one_by_one,
        schedules=150,
        progress=lambda done, found: seen.append((done, found)),
    )
    assert seen[-1][0] == 150
    assert seen[BATCH_PLANS + 5] > seen[BATCH_PLANS - 1]
    assert all(0 < done <= 150 for done, _ in seen)
    assert seen[-1][1] == 2


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_result_does_not_depend_on_the_number_of_processes(jobs: int) -> None:
    workers = Workers(jobs, partial(starting, start_playing))
    try:
        result = campaign(Counting(), workers.run, schedules=300)
    finally:
        workers.close()
    assert told(result) == told(campaign(Counting(), one_by_one, schedules=300))


def killed_once(marks: Path) -> Callable[[Plan], RunReport]:
    """A player whose process is killed over schedule 6, the first time."""

    def play(plan: Plan) -> RunReport:
        if plan == Numbered(5) and not list(marks.iterdir()):
            (marks / "killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return playing(plan)

    return play


def test_a_killed_worker_changes_nothing(tmp_path: Path) -> None:
    workers = Workers(2, partial(starting, partial(killed_once, tmp_path)))
    try:
        result = campaign(Counting(), workers.run, schedules=50)
    finally:
        workers.close()
    run: PlayAll = one_by_one
    assert list(tmp_path.iterdir())
    assert told(result) == told(campaign(Counting(), run, schedules=50))
