# SPDX-License-Identifier: MIT
"""What two processes remember together: each learns from the other, and reports the same."""

import os
from pathlib import Path

import msgspec
import pytest

from sim import quick
from sim.exploration import baseline, players
from sim.explore.strategies import STRATEGIES
from sim.explore.strategy import Plan, RunReport
from sim.player import Player
from sim.quick import QuickPlayer
from sim.setup import Lab, Setup, read_setup
from sim.sharing import shared_memory
from tests.kernel_trees import tree_of


@pytest.fixture(scope="module")
def setup() -> Setup:
    tree = str(tree_of("6.12"))
    return msgspec.structs.replace(read_setup("multi-msi"), driver="kernel", tree=tree)


@pytest.fixture(scope="module")
def plans(setup: Setup) -> list[Plan]:
    return STRATEGIES["random"](baseline(setup), 5).plans(6)


def test_one_process_has_its_memory_to_itself() -> None:
    with shared_memory(1) as path:
        assert path is None


def test_the_file_is_gone_with_those_who_shared_it() -> None:
    with shared_memory(2) as path:
        assert path is not None
        os.close(os.open(path, os.O_RDWR))
    assert not Path(path).exists()


def test_what_one_player_has_learnt_another_need_not(setup: Setup, plans: list[Plan]) -> None:
    with shared_memory(2) as path:
        first = QuickPlayer(Lab(setup), path)
        reports = [first(plan) for plan in plans]
        second = QuickPlayer(Lab(setup), path)
        assert [second(plan) for plan in plans] == reports
        assert second.crossings == 1 < first.crossings, "its machine has to be made ready once"


def test_what_one_player_has_judged_another_need_not(
    setup: Setup, plans: list[Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    with shared_memory(2) as path:
        first = QuickPlayer(Lab(setup), path)
        reports = [first(plan) for plan in plans * 2]
        second = QuickPlayer(Lab(setup), path)
        second(plans[0])
        monkeypatch.setattr(quick, "judge_run", None)
        assert [second(plan) for plan in plans] == reports[: len(plans)]


def test_two_processes_report_what_one_does(setup: Setup, plans: list[Plan]) -> None:
    alone = Player(setup)
    with players(setup, jobs=2) as run:
        reports: dict[int, RunReport] = {}
        for place, report in run(plans):
            assert isinstance(report, RunReport)
            reports[place] = report
    assert [reports[place] for place in range(len(plans))] == [alone(plan) for plan in plans]
