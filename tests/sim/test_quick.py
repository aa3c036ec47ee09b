# SPDX-License-Identifier: MIT
"""Schedules of the real driver played in C: the same reports as from worlds, and sooner."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import pytest

from sim.exploration import baseline
from sim.explore.delay_plan import DelayPlan
from sim.explore.delays import FaultAt
from sim.explore.dfs_run import DfsPlan, Trunk
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Plan, RunReport
from sim.plans_in_c import IN_C
from sim.player import played
from sim.quick import VAIN_MAX, QuickPlayer
from sim.setup import Lab, Setup, read_setup
from tests.kernel_trees import tree_of

PLANS = 6  # of each strategy: enough for some to go the ways that others went
PLAYED_IN_C = ["random", "pct", "pos", "surw", "starve", "delay", "dfs"]


@pytest.fixture(scope="module")
def setup() -> Setup:
    tree = str(tree_of("6.12"))
    return msgspec.structs.replace(read_setup("eject-during-probe"), driver="kernel", tree=tree)


@pytest.fixture(scope="module")
def plans(setup: Setup) -> dict[str, list[Plan]]:
    known = baseline(setup)
    return {name: STRATEGIES[name](known, 7).plans(PLANS) for name in PLAYED_IN_C}


@pytest.fixture
def by_worlds(setup: Setup) -> Callable[[Plan], RunReport]:
    return worlds(setup)


def worlds(setup: Setup) -> Callable[[Plan], RunReport]:
    lab = Lab(setup)
    return lambda plan: played(plan, lab.world)


@pytest.mark.parametrize("strategy", PLAYED_IN_C)
def test_a_plan_played_in_c_comes_to_what_it_comes_to_in_a_world(
    strategy: str,
    setup: Setup,
    plans: dict[str, list[Plan]],
    by_worlds: Callable[[Plan], RunReport],
) -> None:
    quick = QuickPlayer(Lab(setup))
    first = [quick(plan) for plan in plans[strategy]]
    crossings = quick.crossings
    again = [quick(plan) for plan in plans[strategy]]
    assert quick.crossings == crossings, "what was played once is known"
    assert again == first == [by_worlds(plan) for plan in plans[strategy]]


@pytest.mark.parametrize(
    ("scenario", "faults"),
    [
        ("multi-msi", ()),
        ("unload-during-eject", ()),
        ("suspend-busy", ()),
        ("rescind-during-probe", ()),  # at a moment that is chosen
        ("eject-ring-full", ()),
        ("arrival", ("doubled-message",)),
        ("rescind-slow-answer", ()),  # in which the host asks what time it is
        ("offline-during-eject", ()),
        ("hibernate-eject", ()),
    ],
)
def test_that_holds_for_other_stories(scenario: str, faults: tuple[str, ...], setup: Setup) -> None:
    other = msgspec.structs.replace(setup, text=read_setup(scenario).text, faults=faults)
    known = baseline(other)
    plans = [plan for name in PLAYED_IN_C for plan in STRATEGIES[name](known, 3).plans(3)]
    quick = QuickPlayer(Lab(other))
    reports = [quick(plan) for plan in plans]
    crossings = quick.crossings
    assert reports == [quick(plan) for plan in plans] == list(map(worlds(other), plans))
    assert quick.crossings == crossings < len(plans)


def test_faults_that_a_plan_names_happen_in_c_where_they_happen_in_a_world(setup: Setup) -> None:
    full = msgspec.structs.replace(setup, text=read_setup("eject-ring-full").text)
    natural = baseline(full).natural
    faults = [FaultAt(name, at, 1) for name, at in dict.fromkeys(natural.faults)]
    pairs = [DelayPlan(faults=pair) for pair in pairwise(faults)]
    plans = [*(DelayPlan(faults=(fault,)) for fault in faults), *pairs]
    quick = QuickPlayer(Lab(full))
    reports = [quick(plan) for plan in plans]
    crossings = quick.crossings
    assert reports == [quick(plan) for plan in plans] == list(map(worlds(full), plans))
    assert quick.crossings == crossings
    assert len({report.fingerprint for report in reports}) > len(faults) // 2


def test_an_order_that_was_never_played_needs_no_world_where_its_parts_were(
    setup: Setup, by_worlds: Callable[[Plan], RunReport]
) -> None:
    plans = STRATEGIES["random"](baseline(setup), 7).plans(80)
    quick = QuickPlayer(Lab(setup))
    reports = [quick(plan) for plan in plans]
    streams = {report.fingerprint for report in reports}
    assert quick.crossings < len(streams) // 2
    judged_apart = {report.fingerprint: plan for report, plan in zip(reports, plans, strict=True)}
    for fingerprint, plan in list(judged_apart.items())[-8:]:
        assert by_worlds(plan).fingerprint == fingerprint


def test_what_a_bug_breaks_is_told_alike(setup: Setup) -> None:
    leaking = msgspec.structs.replace(
        setup,
        text=read_setup("rescind-without-eject").text,
        defects=("slots-not-removed-on-unload",),
    )
    plans = STRATEGIES["random"](baseline(leaking), 3).plans(4)
    quick = QuickPlayer(Lab(leaking))
    reports = [quick(plan) for plan in plans]
    crossings = quick.crossings
    assert reports == [quick(plan) for plan in plans] == list(map(worlds(leaking), plans))
    assert all(report.violation and report.decisions for report in reports)
    assert quick.crossings == crossings


def test_where_nothing_can_be_remembered_worlds_play_as_ever(setup: Setup) -> None:
    hanging = msgspec.structs.replace(setup, text=read_setup("probe-fails").text)
    plans = STRATEGIES["random"](baseline(hanging), 3).plans(VAIN_MAX + 2)
    player = QuickPlayer(Lab(hanging))
    assert [player(plan) for plan in plans] == list(map(worlds(hanging), plans))
    assert player.crossings == len(plans)


def test_what_another_setup_did_with_the_library_is_not_taken_for_ones_own(
    setup: Setup, plans: dict[str, list[Plan]], by_worlds: Callable[[Plan], RunReport]
) -> None:
    plan = plans["random"][0]
    quick = QuickPlayer(Lab(setup))
    other = QuickPlayer(Lab(msgspec.structs.replace(setup, lates=0)))
    assert quick(plan) == by_worlds(plan)
    before = other(plan)
    assert quick(plan) == by_worlds(plan)
    assert other(plan) == before


@pytest.mark.parametrize("scenario", ["eject-during-probe", "eject-ring-full"])
def test_the_search_of_all_orders_goes_on_from_what_c_tells_of_a_run(
    scenario: str, setup: Setup
) -> None:
    told = msgspec.structs.replace(setup, text=read_setup(scenario).text)
    quick, by_worlds = QuickPlayer(Lab(told)), worlds(told)
    plan: DfsPlan = DfsPlan(b"")
    for _ in range(3):
        quick(plan)
        report = quick(plan)
        assert report == by_worlds(plan)
        (trunk,) = report.branches
        assert isinstance(trunk, Trunk)
        # Where most sleep, and of those far from where the run has ended.
        plan = max(reversed(list(trunk.branches())), key=lambda branch: len(branch.asleep))
    assert plan.asleep


def test_these_strategies_are_played_in_c() -> None:
    assert {plan.strategy for plan in IN_C} == set(PLAYED_IN_C)
