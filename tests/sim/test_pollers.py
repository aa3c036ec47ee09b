# SPDX-License-Identifier: MIT
"""Contexts that look again and again: when it is certain that they look in vain."""

from sim.pollers import FRUITLESS_WAKES_MAX, Pollers


def looked(pollers: Pollers, names: str, times: int, progress_step: int = 0) -> None:
    for _ in range(times):
        for name in names:
            pollers.woke(name, progress_step)


def test_who_alone_is_left_and_has_looked_often_looks_in_vain() -> None:
    pollers = Pollers()
    looked(pollers, "ab", FRUITLESS_WAKES_MAX // 2)
    assert not pollers.in_vain("ab", 0)
    looked(pollers, "a", 1)
    assert pollers.in_vain("ab", 0)


def test_somebody_else_may_still_bring_it_about() -> None:
    pollers = Pollers()
    looked(pollers, "ab", FRUITLESS_WAKES_MAX)
    assert not pollers.in_vain("abc", 0)


def test_whenever_something_happens_they_begin_anew() -> None:
    pollers = Pollers()
    looked(pollers, "ab", FRUITLESS_WAKES_MAX)
    looked(pollers, "a", 1, progress_step=5)
    assert not pollers.in_vain("a", 5)


def test_what_has_just_happened_is_looked_at_before_anybody_is_given_up() -> None:
    pollers = Pollers()
    looked(pollers, "a", FRUITLESS_WAKES_MAX + 1)
    assert pollers.in_vain("a", 0)
    assert not pollers.in_vain("a", 5)
