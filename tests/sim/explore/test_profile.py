# SPDX-License-Identifier: MIT
"""A baseline tells who could go on, where, how often, and what could have failed."""

from __future__ import annotations

from collections.abc import Iterator

from sim.explore.delays import Delay, DelayChooser
from sim.explore.profile import Moment, Profiler, baseline_of
from sim.explore.stops import Stop
from sim.explore.until import late
from tests.sim.explore.toys import Sleep, Toy, points


def test_a_baseline_has_each_choice_with_its_stops() -> None:
    bodies = {"a": points("p", "p"), "b": points()}
    baseline = baseline_of(lambda chooser: Toy(bodies, chooser).run())
    b = Stop("b", "start", 1)
    assert baseline.moments == (
        Moment((Stop("a", "start", 1), b), 0, may_be_late=False),
        Moment((Stop("a", "p", 1), b), 0, may_be_late=False),
        Moment((Stop("a", "p", 2), b), 0, may_be_late=False),
    )
    assert baseline.choices == 3
    assert baseline.steps == {"a": 3}


def test_faults_that_could_happen_are_told_apart_from_moments() -> None:
    def a(toy: Toy) -> Iterator[object]:
        toy.fails("fault slow-host", "reply")
        yield "p"

    baseline = baseline_of(lambda chooser: Toy({"a": a}, chooser).run())
    assert baseline.faults == (("fault slow-host", "reply"),)
    assert not baseline.moments
    assert baseline.choices == 1


def test_a_moment_knows_whether_time_could_pass_and_whether_it_did() -> None:
    bodies = {"a": points("p"), "b": lambda _: iter([Sleep("nap")])}
    profiler = Profiler(DelayChooser([Delay("a", "p", 1, late())]))
    Toy(bodies, profiler, lates=1).run()
    baseline = profiler.baseline()
    assert [(m.may_be_late, m.late) for m in baseline.moments] == [
        *((False, False), (False, False), (True, True), (False, False)),
    ]
    assert baseline.may_be_late == 1
    assert baseline.steps == {"a": 1, "b": 2}
