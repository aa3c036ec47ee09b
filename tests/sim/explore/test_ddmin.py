# SPDX-License-Identifier: MIT
"""Delta debugging keeps what is needed and nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sim.explore.ddmin import minimised


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_items_that_are_needed_together_are_left(case: tuple[int, set[int]]) -> None:
    count, needed = case
    left = minimised(range(count), lambda items: needed <= set(items))
    assert left == tuple(sorted(needed))


def test_of_two_ways_to_fail_one_is_left_whole() -> None:
    left = minimised(range(20), lambda items: {3, 17} <= set(items) or {5, 6} <= set(items))
    assert left in ((3, 17), (5, 6))


def test_it_asks_no_more_often_than_promised() -> None:
    asked: list[tuple[int, ...]] = []

    def fails(items: tuple[int, ...]) -> bool:
        asked.append(items)
        return len(items) == 30  # nothing can go

    assert minimised(range(30), fails) == tuple(range(30))
    assert len(asked) <= 30 * 30 + 3 * 30


def test_who_may_not_ask_any_more_keeps_what_still_fails() -> None:
    answers = iter([True, False, True])

    def fails(items: tuple[int, ...]) -> bool:
        return bool(items) and next(answers, False)

    left = minimised(range(16), fails)
    assert left == (4, 5, 6, 7)
