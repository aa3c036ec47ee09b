# SPDX-License-Identifier: MIT
"""The curve finds the choice after which a failure could not be avoided any more."""

from __future__ import annotations

from collections.abc import Sequence

from sim.choices import Choice, Chooser
from sim.explore.explain import COMPLETIONS, PREFIXES, PrefixChooser, explained
from tests.sim.test_choices import Somebody

WAYS = (Somebody("left"), Somebody("right"))
FATAL = 37


def game(chooser: Chooser) -> bool:
    """A hundred choices; going right at the 37th and again at any time after it loses."""
    taken = [chooser.choose(WAYS) for _ in range(100)]
    return bool(taken[FATAL - 1]) and any(taken[FATAL:])


def choices(indices: Sequence[int]) -> list[Choice]:
    return [Choice(index, WAYS[index].name, f"crossing {n}") for n, index in enumerate(indices, 1)]


LOST = choices([0] * (FATAL - 1) + [1] * 64)


def test_the_choice_that_made_it_inevitable_is_named() -> None:
    explanation = explained(game, LOST, seed=1)
    assert explanation.inevitable == FATAL
    assert explanation.choice == Choice(1, "right", "crossing 37")


def test_the_curve_rises_from_chance_to_certainty_over_the_whole_schedule() -> None:
    curve = explained(game, LOST, seed=1).curve
    assert [curve[0].choices, curve[-1].choices] == [0, 100]
    assert len(curve) > PREFIXES
    assert 0.2 < curve[0].share < 0.8
    assert all(chance.runs == COMPLETIONS for chance in curve)
    assert [c.choices for c in curve] == sorted({c.choices for c in curve})


def test_the_same_seed_gives_the_same_curve_and_another_one_another() -> None:
    assert explained(game, LOST, seed=1) == explained(game, LOST, seed=1)
    assert explained(game, LOST, seed=1) != explained(game, LOST, seed=2)


def test_what_fails_whatever_is_chosen_was_inevitable_before_the_first_choice() -> None:
    explanation = explained(lambda chooser: chooser.choose(WAYS) >= 0, LOST, seed=1)
    assert explanation.inevitable == 0
    assert explanation.choice is None


def test_what_no_prefix_makes_certain_was_never_inevitable() -> None:
    explanation = explained(lambda chooser: chooser.choose(WAYS) < 0, LOST, seed=1)
    assert explanation.inevitable is None
    assert explanation.choice is None


def test_beyond_its_prefix_another_chooser_decides() -> None:
    class Always:
        def choose(self, options: Sequence[object]) -> int:
            return len(options) - 1

    chooser = PrefixChooser([0, 0], Always())
    assert [chooser.choose(WAYS) for _ in range(4)] == [0, 0, 1, 1]
