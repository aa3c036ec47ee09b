# SPDX-License-Identifier: MIT
"""A delay holds whom it names, where it says, for as long as it says, and nothing besides."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.choices import NO_FAULT, Fault
from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.stops import Stop
from sim.explore.until import ended, late, reached, steps
from tests.sim.explore.toys import Body, Sleep, Toy, points

AB = {"a": points("lock x", "unlock x"), "b": points("lock y", "unlock y")}
NATURAL = ["a start", "a lock x", "a unlock x", "b start", "b lock y", "b unlock y"]


def play(bodies: dict[str, Body], *delays: Delay, lates: int = 0) -> tuple[list[str], DelayChooser]:
    chooser = DelayChooser(delays)
    toy = Toy(bodies, chooser, lates=lates)
    toy.run()
    return toy.log, chooser


def test_without_delays_the_order_is_natural() -> None:
    assert play(AB)[0] == NATURAL


def test_a_context_is_held_at_the_stop_named_until_nothing_else_can_go_on() -> None:
    log, chooser = play(AB, Delay("a", "lock x"))
    assert log == ["a start", "b start", "b lock y", "b unlock y", "a lock x", "a unlock x"]
    assert not chooser.unapplied
    assert not chooser.unmet


@pytest.mark.parametrize("count", [1, 2])
def test_a_delay_of_some_steps_lets_others_do_so_many_and_then_goes_on_at_once(count: int) -> None:
    log, chooser = play(AB, Delay("a", "lock x", 1, steps(count)))
    assert log == NATURAL[:1] + NATURAL[3 : 3 + count] + NATURAL[1:3] + NATURAL[3 + count :]
    assert not chooser.unapplied
    assert not chooser.unmet


def test_a_delay_lasts_until_another_has_come_to_its_end() -> None:
    bodies = {**AB, "c": points("lock z")}
    log, chooser = play(bodies, Delay("a", "start", 1, ended("b")))
    assert log == [*NATURAL[3:], *NATURAL[:3], "c start", "c lock z"]
    assert not chooser.unmet


def test_a_delay_lasts_until_another_has_reached_a_stop() -> None:
    log, chooser = play(AB, Delay("a", "start", 1, reached(Stop("b", "unlock y", 1))))
    assert log == [*NATURAL[3:5], *NATURAL[:3], NATURAL[5]]
    assert not chooser.unmet


def test_only_the_occurrence_named_is_held() -> None:
    bodies = {"a": points("kfree", "kfree", "kfree"), "b": points("lock y")}
    log, _ = play(bodies, Delay("a", "kfree", 2))
    assert log == ["a start", "a kfree", "b start", "b lock y", "a kfree", "a kfree"]


def test_a_delay_whose_stop_never_comes_is_reported() -> None:
    never = Delay("a", "lock x", 2)
    log, chooser = play(AB, never)
    assert log == NATURAL
    assert chooser.unapplied == (never,)
    assert not chooser.unmet


def test_a_delay_that_changes_nothing_is_reported() -> None:
    after = Delay("b", "start", 1, ended("a"))
    log, chooser = play(AB, after)
    assert log == NATURAL
    assert chooser.unapplied == (after,)


def test_a_delay_whose_end_never_comes_ends_when_nothing_else_can_go_on_and_says_so() -> None:
    never = Delay("a", "start", 1, ended("nobody"))
    log, chooser = play(AB, never)
    assert log == NATURAL[3:] + NATURAL[:3]
    assert not chooser.unapplied
    assert chooser.unmet == (never,)


def test_who_goes_on_as_the_only_one_who_can_is_no_longer_held() -> None:
    """``a`` loops at one point; held there once it goes on unasked, and is not held again."""

    def a(_: Toy) -> Iterator[object]:
        yield "same"
        toy.start("b", points("lock y"))
        yield "same"
        yield "same"

    delay = Delay("a", "same", 1, ended("nobody"))
    chooser = DelayChooser([delay])
    toy = Toy({"a": a, "c": points()}, chooser)
    toy.run()
    assert toy.log == [
        *("a start", "c start", "a same", "a same", "a same", "b start", "b lock y"),
    ]
    assert chooser.unmet == (delay,)


def test_of_several_held_the_one_held_longest_goes_first() -> None:
    bodies = {**AB, "c": points("lock z")}
    log, _ = play(bodies, Delay("b", "start"), Delay("a", "lock x"))
    assert log[:4] == ["a start", "c start", "c lock z", "b start"]


def test_two_delays_are_both_played() -> None:
    log, chooser = play(AB, Delay("a", "lock x", 1, steps(1)), Delay("a", "unlock x", 1, steps(1)))
    assert log == ["a start", "b start", "a lock x", "b lock y", "a unlock x", "b unlock y"]
    assert not chooser.unapplied


def sleepers() -> dict[str, Body]:
    return {
        "a": points("lock x"),
        "b": lambda _: iter([Sleep("nap"), "up", Sleep("nap"), "up again"]),
    }


def test_natural_order_lets_no_time_pass_while_somebody_can_go_on() -> None:
    log, _ = play(sleepers(), lates=5)
    assert log[:3] == ["a start", "a lock x", "b start"]


@pytest.mark.parametrize(("times", "before"), [(1, 3), (2, 5)])
def test_a_late_context_lets_time_pass_so_often(times: int, before: int) -> None:
    log, chooser = play(sleepers(), Delay("a", "lock x", 1, late(times)), lates=5)
    assert log.index("a lock x") == 1 + before
    assert not chooser.unmet


def test_a_context_that_may_not_be_late_goes_on_before_time_does() -> None:
    log, chooser = play(sleepers(), Delay("a", "lock x"), lates=5)
    assert log.index("a lock x") == 2
    assert not chooser.unmet


def test_who_waits_for_the_end_of_a_sleeper_lets_time_pass() -> None:
    log, chooser = play(sleepers(), Delay("a", "lock x", 1, ended("b")), lates=5)
    assert log.index("a lock x") == 6
    assert not chooser.unmet


def test_a_delay_tells_for_how_many_choices_it_held() -> None:
    _, chooser = play(AB, Delay("a", "lock x"), Delay("b", "nowhere"))
    assert chooser.lasted == (3, 0)


def test_the_choice_that_lets_time_pass_counts_too() -> None:
    bodies: dict[str, Body] = {"b": lambda _: iter([Sleep("nap")]), "a": points("lock x")}
    log, chooser = play(bodies, Delay("a", "lock x", 1, late()), lates=1)
    assert log == ["b start", "a start", "b nap", "a lock x"]
    assert chooser.lasted == (2,)


def test_a_lateness_that_is_not_allowed_is_reported() -> None:
    delay = Delay("a", "lock x", 1, late(2))
    log, chooser = play(sleepers(), delay, lates=1)
    assert log.index("a lock x") == 4
    assert chooser.unmet == (delay,)


def test_a_fault_happens_at_the_occurrence_named_and_nowhere_else() -> None:
    def a(toy: Toy) -> Iterator[object]:
        toy.state["failed"] = [toy.fails("fault ring-full", "sendpacket") for _ in range(3)]
        yield "lock x"

    chooser = DelayChooser([], [FaultAt("fault ring-full", "sendpacket", 2)])
    assert Toy({"a": a}, chooser).run()["failed"] == [False, True, False]
    assert not chooser.unapplied_faults


def test_a_fault_whose_moment_never_comes_is_reported() -> None:
    fault = FaultAt("fault ring-full", "sendpacket")
    chooser = DelayChooser([], [fault])
    assert chooser.choose([NO_FAULT, Fault("fault ring-full", "elsewhere")]) == 0
    assert chooser.unapplied_faults == (fault,)


def test_a_delay_in_unknown_words_is_refused() -> None:
    with pytest.raises(ValueError, match="no end of a delay"):
        DelayChooser([Delay("a", "lock x", 1, "tomorrow")])


@given(
    st.lists(
        st.builds(
            Delay,
            st.sampled_from("abc"),
            st.sampled_from(["start", "p", "q"]),
            st.integers(1, 2),
            st.sampled_from(["idle", "steps 1", "steps 3", "ended a", "reached b @ q # 1", "late"]),
        ),
        max_size=4,
    )
)
def test_no_list_of_delays_stops_a_run_or_changes_it_silently(delays: list[Delay]) -> None:
    bodies = {name: points("p", "q", "p") for name in "abc"}
    natural, _ = play(bodies)
    log, chooser = play(bodies, *delays)
    assert sorted(log) == sorted(natural)
    if len(chooser.unapplied) == len(delays):
        assert log == natural
