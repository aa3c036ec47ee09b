# SPDX-License-Identifier: MIT
"""Starvation: while a window lasts, its victims go on only if nothing else can happen."""

from __future__ import annotations

from collections import Counter

from sim.choices import PASSING, Option
from sim.explore.sampling import Rare
from sim.explore.starve import StarveChooser, StarvePlan
from tests.sim.explore.test_sampling import flow

LONG = 256


def starving(seed: int) -> tuple[StarveChooser, list[int]]:
    """What is chosen of five, two hundred times."""
    chooser = StarveChooser(StarvePlan(seed, Rare(1, 1), LONG))
    options = [flow(name) for name in "abcde"]
    return chooser, [chooser.choose(options) for _ in range(2 * LONG)]


def test_outside_of_windows_the_order_is_natural_and_inside_victims_wait() -> None:
    chosen = Counter(index for seed in range(100) for index in starving(seed)[1])
    assert chosen[0] > sum(chosen[index] for index in range(1, 5)) > 0
    assert chosen[1] > chosen[2] > chosen[3]


def test_windows_are_of_every_magnitude() -> None:
    lengths: list[int] = []
    for seed in range(200):
        run = 0
        for index in starving(seed)[1]:
            if not index and run:
                lengths.append(run)
            run = run + 1 if index else 0
    magnitudes = Counter(length.bit_length() for length in lengths)
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= set(magnitudes)
    assert max(magnitudes.values()) < len(lengths) / 3


def test_time_passes_rather_than_that_a_victim_goes_on() -> None:
    options: list[Option] = [flow("a"), PASSING]
    chosen = set()
    for seed in range(50):
        chooser = StarveChooser(StarvePlan(seed, Rare(1, 1), 16))
        chosen |= {chooser.choose(options) for _ in range(32)}
    assert chosen == {0, 1}


def test_victims_alone_go_on_in_natural_order() -> None:
    for seed in range(50):
        chooser = StarveChooser(StarvePlan(seed, Rare(1, 1), 16))
        assert {chooser.choose([flow("a")]) for _ in range(32)} == {0}
