# SPDX-License-Identifier: MIT
"""The words for a delay's end say what they mean, and nothing else is understood."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.explore.stops import Stop
from sim.explore.until import IDLE, Until, ended, late, parse_until, reached, steps

REMOVE = Stop("hv_pci_remove/wq#1", "lock hbus.state_lock", 2)


@pytest.mark.parametrize(
    ("words", "until"),
    [
        (IDLE, Until("idle")),
        (late(), Until("late", 1)),
        (late(2), Until("late", 2)),
        (steps(3), Until("steps", 3)),
        (ended("a@0#2"), Until("ended", stop=Stop("a@0#2", "", 0))),
        (reached(REMOVE), Until("reached", stop=REMOVE)),
        (reached(Stop("reply", "", 1)), Until("reached", stop=Stop("reply", "", 1))),
    ],
)
def test_the_words_mean_what_they_say(words: str, until: Until) -> None:
    assert parse_until(words) == until


NONSENSE = (
    *("", "until", "idle 1", "late 0", "late x", "steps", "steps -1", "steps 1 2", "ended"),
    *("reached a", "reached a @ b", "reached a @ b # 0", "reached  @ b # 1"),
)


@pytest.mark.parametrize("words", NONSENSE)
def test_other_words_are_refused_and_the_right_ones_named(words: str) -> None:
    with pytest.raises(ValueError, match=r"idle, late \[N\], steps N, ended CONTEXT"):
        parse_until(words)


NAME = st.text("abc/@#1", min_size=1)


@given(NAME, st.text("ab _", max_size=9), st.integers(1, 99))
def test_a_stop_survives_its_words(context: str, point: str, occurrence: int) -> None:
    stop = Stop(context, point, occurrence)
    assert parse_until(reached(stop)).stop == stop
