# SPDX-License-Identifier: MIT
"""POS draws anew for those who raced and for nobody else."""

from __future__ import annotations

import pytest

from sim.explore.pos import PosChooser
from sim.explore.sampling import Rare
from tests.sim.explore.test_sampling import flow

RUNS = 4000


def share_of_repeats(first: str, second: str) -> float:
    """How often the one who won once wins again, its next event being new."""
    repeats = 0
    for seed in range(RUNS):
        chooser = PosChooser(seed, Rare(1, 1))
        options = [flow("a", first), flow("b", second)]
        winner = chooser.choose(options)
        repeats += chooser.choose(options) == winner
    return repeats / RUNS


@pytest.mark.parametrize(
    ("first", "second"),
    [("lock list", "lock list"), ("lock list", "unlock list"), ("", "lock list"), ("", "")],
)
def test_after_a_race_both_draw_anew(first: str, second: str) -> None:
    assert abs(share_of_repeats(first, second) - 1 / 2) < 0.03


@pytest.mark.parametrize(
    ("first", "second"),
    [("lock list", "lock other"), ("start", "start"), ("kzalloc HvPciDev", "kzalloc HvPciDev")],
)
def test_who_did_not_race_keeps_its_priority(first: str, second: str) -> None:
    """The loser's is the lower of two numbers, so a new one is higher in two of three cases."""
    assert abs(share_of_repeats(first, second) - 2 / 3) < 0.03
