# SPDX-License-Identifier: MIT
"""The curve is told in bars and one sentence."""

from __future__ import annotations

from sim.choices import Choice
from sim.explore.explain import Chance, Explanation
from sim.report.curve import curve_lines

CURVE = (Chance(0, 1, 20), Chance(600, 10, 20), Chance(1200, 20, 20))


def test_each_prefix_has_a_bar_as_long_as_its_chance() -> None:
    choice = Choice(1, "work#2", "kfree")
    *bars, sentence = curve_lines(Explanation(CURVE, 1200, choice))
    assert bars == [
        "choices played   then, at random, failed",
        "             0     1 of 20  ##",
        "           600    10 of 20  " + "#" * 20,
        "         1,200    20 of 20  " + "#" * 40,
    ]
    assert sentence == (
        "inevitable with choice 1,200: `work#2` went on at `kfree`;"
        " from there on no completion passed"
    )


def test_it_says_if_the_failure_was_never_or_always_inevitable() -> None:
    never = list(curve_lines(Explanation(CURVE, None, None)))[-1]
    always = list(curve_lines(Explanation(CURVE, 0, None)))[-1]
    assert never == "it was never inevitable: after every prefix some completion passed"
    assert always == "it was inevitable from the beginning: no completion passed"
