# SPDX-License-Identifier: MIT
"""Contexts of the C core: they switch, wait for each other and for time, and start others."""

import pytest

from tests.guest.native.core.toy_build import Toy


def test_those_who_wait_are_woken_in_the_order_in_which_they_came(toy: Toy) -> None:
    assert toy.run("first_waiter", "second_waiter", "opens_gate") is None
    assert toy.log == ["opened", "first", "second"]


def test_one_wake_up_wakes_the_one_who_has_waited_longest(toy: Toy) -> None:
    toy.run("second_waiter", "first_waiter", "opens_for_one")
    assert toy.log == ["second"]


def test_who_comes_when_the_gate_is_open_does_not_wait(toy: Toy) -> None:
    toy.run("opens_gate", "first_waiter")
    assert toy.log == ["opened", "first"]


def test_a_deadline_ends_a_wait(toy: Toy) -> None:
    toy.run("waits_until_a_time")
    assert toy.log == ["late"]
    assert toy.library.shared.now_ns == 5000


def test_who_is_woken_in_time_is_not_late(toy: Toy) -> None:
    toy.run("waits_until_a_time", "opens_gate")
    assert toy.log == ["opened", "woken"]


def test_a_wake_up_after_the_deadline_finds_nobody_in_the_queue(toy: Toy) -> None:
    toy.run("waits_until_a_time", "second_waiter")  # the second waits on, and is alone there
    assert toy.log == ["late"]


def test_at_a_point_others_may_go_first(toy: Toy) -> None:
    toy.run("says_twice", "opens_gate")
    assert toy.log == ["once", "twice", "opened"]
    toy.run("says_twice", "opens_gate", choose=lambda ready: len(ready) - 1)
    assert toy.log == ["opened", "once", "twice"]


def test_without_others_a_point_is_passed_over(toy: Toy) -> None:
    assert toy.run("says_twice") is None


def test_what_a_context_asks_is_answered_where_it_asked(toy: Toy) -> None:
    toy.run("asks")
    assert toy.library.shared.notes[0].d == 0x1234


def test_a_context_starts_another_which_runs_after_it(toy: Toy) -> None:
    toy.run("starts_another")
    assert toy.log == ["from the parent", "from the child"]
    assert toy.library.call.vx_cpu_of(1) == 1


def test_a_softirq_that_does_things_for_ever_is_found_though_others_come_between(toy: Toy) -> None:
    found = toy.run("softirq_without_an_end")
    assert found is not None
    assert found[:3] == ("hang", "busy does more than 4096 things and does not end", "busy")


@pytest.mark.parametrize("name", ["softirq_with_much_to_do", "thread_with_much_to_do"])
def test_who_only_has_much_to_do_is_left_in_peace(toy: Toy, name: str) -> None:
    assert toy.run(name) is None
