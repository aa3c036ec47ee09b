# SPDX-License-Identifier: MIT
"""A profile tells who could go on, where, how often, and what could have failed."""

from __future__ import annotations

from collections.abc import Iterator

from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay
from sim.explore.profile import WALKS, Moment, baseline_of, profile_of
from sim.explore.stops import Stop
from sim.explore.until import late
from tests.sim.explore.toys import Sleep, Toy, points


def test_a_profile_has_each_choice_with_its_stops() -> None:
    bodies = {"a": points("p", "p"), "b": points()}
    profile = profile_of(lambda chooser: Toy(bodies, chooser).run())
    b = Stop("b", "start", 1)
    assert profile.moments == (
        Moment((Stop("a", "start", 1), b), 0, may_be_late=False),
        Moment((Stop("a", "p", 1), b), 0, may_be_late=False),
        Moment((Stop("a", "p", 2), b), 0, may_be_late=False),
    )
    assert profile.choices == profile.contested == 3
    assert [stop.point for stop in profile.taken()] == ["start", "p", "p"]


def test_faults_that_could_happen_are_told_apart_from_moments() -> None:
    def a(toy: Toy) -> Iterator[object]:
        toy.fails("fault slow-host", "reply")
        yield "p"

    profile = profile_of(lambda chooser: Toy({"a": a}, chooser).run())
    assert profile.faults == (("fault slow-host", "reply"),)
    assert not profile.moments
    assert profile.choices == 1


def test_a_moment_knows_whether_time_could_pass_and_whether_it_did() -> None:
    bodies = {"a": points("p"), "b": lambda _: iter([Sleep("nap")])}
    delays = DelayChooser([Delay("a", "p", 1, late())])
    profile = profile_of(lambda chooser: Toy(bodies, chooser, lates=1).run(), delays)
    assert [(m.may_be_late, m.late) for m in profile.moments] == [
        *((False, False), (False, False), (True, True), (False, False)),
    ]
    assert profile.may_be_late == 1
    assert profile.contested == 3
    assert len(profile.taken()) == 3


def test_a_baseline_is_natural_order_and_some_other_orders() -> None:
    bodies = {name: points("p", "q") for name in "abc"}
    baseline = baseline_of(lambda chooser: Toy(bodies, chooser).run())
    assert [moment.taken for moment in baseline.natural.moments] == [0] * 6
    assert [stop.context for stop in baseline.youngest.taken()] == [*"cccbbb"]
    assert len(baseline.walks) == WALKS
    assert len({walk.moments for walk in baseline.walks}) > WALKS // 2
    assert baseline.typical(lambda run: run.choices) == 8
    assert baseline == baseline_of(lambda chooser: Toy(bodies, chooser).run())
