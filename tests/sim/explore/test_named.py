# SPDX-License-Identifier: MIT
"""A run in any order can be said in delays, and said so it is the same run."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from sim.choices import Chooser, RandomChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import NATURAL, Named, named
from sim.explore.trials import profiled
from tests.sim.explore.toys import Await, Body, Sleep, Toy, points

ABC = {"a": points("p", "q"), "b": points("p", "p"), "c": points("r")}


def said(bodies: dict[str, Body], chooser: Chooser, *, lates: int = 0) -> tuple[Named, list[str]]:
    """The run by that chooser in names, and what happened in it."""
    log: list[str] = []

    def play(chooser: Chooser) -> None:
        toy = Toy(bodies, chooser, lates=lates)
        toy.run()
        log.extend(toy.log)

    run = profiled(play, chooser)
    return named(run.profile, run.choices), log


def test_a_run_in_natural_order_is_said_in_no_words() -> None:
    assert said(ABC, NATURAL.chooser())[0] == NATURAL


def test_a_run_with_one_delay_is_said_in_that_delay() -> None:
    delay = Delay("a", "p", 1, "steps 2")
    assert said(ABC, Named((delay,)).chooser())[0] == Named((delay,))


def test_a_context_that_was_held_to_the_end_is_held_until_nothing_else_can_go_on() -> None:
    delay = Delay("a", "p")
    assert said(ABC, Named((delay,)).chooser())[0] == Named((delay,))


def waiters() -> dict[str, Body]:
    """Two contexts that wait for each other's steps, and one that has nothing to do with them."""

    def giver(toy: Toy) -> Iterator[object]:
        yield "give"
        toy.state["given"] = True
        yield Await("wait taken", lambda: "taken" in toy.state)

    def taker(toy: Toy) -> Iterator[object]:
        yield Await("wait given", lambda: "given" in toy.state)
        yield "take"
        toy.state["taken"] = True

    return {"giver": giver, "taker": taker, "c": points("r", "r", "r")}


@given(seed=st.integers(0, 2**32))
def test_what_is_said_is_played_again_step_by_step(seed: int) -> None:
    words, log = said(ABC, RandomChooser(seed))
    assert said(ABC, words.chooser()) == (words, log)


def test_where_contexts_wait_for_each_other_most_orders_can_be_said_exactly() -> None:
    exact = 0
    for seed in range(200):
        words, log = said(waiters(), RandomChooser(seed))
        exact += said(waiters(), words.chooser())[1] == log
    assert exact > 160


def test_time_that_passed_is_a_lateness_of_who_was_held_longest_after() -> None:
    bodies = {"a": points("p"), "b": points("p"), "s": lambda _: iter([Sleep("nap"), "up"])}
    late = Named((Delay("a", "p", 1, "late"),))
    words, log = said(bodies, late.chooser(), lates=1)
    assert words == late
    assert log.index("s nap") < log.index("a p")


def test_faults_are_said_by_their_occurrence() -> None:
    def a(toy: Toy) -> Iterator[object]:
        for _ in range(3):
            toy.fails("fault ring-full", "sendpacket")
        yield "p"

    faults = Named((), (FaultAt("fault ring-full", "sendpacket", 2),))
    assert said({"a": a, "b": points("q")}, faults.chooser())[0] == faults
