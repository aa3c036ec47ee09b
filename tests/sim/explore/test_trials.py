# SPDX-License-Identifier: MIT
"""Trials are bounded, made once each, and tell alike from other failures."""

from __future__ import annotations

from msgspec.structs import replace

from sim.choices import Chooser, DecisionChooser
from sim.explore.delays import Delay
from sim.explore.named import NATURAL, Named
from sim.explore.trials import Trials, profiled, simpler
from sim.explore.until import ended
from sim.violation import Violation
from tests.sim.explore.toys import Toy, points

FOUND = Violation("leak", "nothing is lost", "left behind: 1 PciDev", "work/0:a", 5)
AB = {"a": points("p", "q"), "b": points("r"), "c": points("r", "r", "r")}
HELD = Named((Delay("a", "p", 1, ended("b")),))


class Play:
    """Fails if ``b`` begins before ``a`` has got past its first point."""

    def __init__(self, found: Violation = FOUND) -> None:
        self.runs = 0
        self.found = found

    def __call__(self, chooser: Chooser) -> Violation | None:
        self.runs += 1
        toy = Toy(AB, chooser)
        toy.run()
        early = toy.log.index("b start") < toy.log.index("a p")
        return self.found if early else None


def test_the_same_failure_with_other_numbers_is_a_failure_alike() -> None:
    other = replace(FOUND, message="left behind: 7 PciDev", context="work/1:a#3", at_ns=9)
    assert Trials(Play(other), FOUND, 9).fails(HELD)


def test_another_violation_neither_fails_alike_nor_passes() -> None:
    trials = Trials(Play(replace(FOUND, kind="crash")), FOUND, 9)
    assert not trials.fails(HELD)
    assert not trials.passes(HELD)
    assert trials.passes(NATURAL)


def test_each_schedule_is_played_once_however_often_it_is_asked_for() -> None:
    play = Play()
    trials = Trials(play, FOUND, 9)
    assert [trials.fails(HELD), trials.fails(HELD), trials.passes(HELD)] == [True, True, False]
    assert play.runs == trials.made == 1


def test_when_its_runs_are_used_up_what_is_not_known_neither_fails_nor_passes() -> None:
    trials = Trials(Play(), FOUND, 1)
    assert trials.fails(HELD)
    assert not trials.passes(NATURAL)
    assert not trials.fails_by([1])
    assert trials.fails(HELD)
    assert trials.made == 1


def test_a_delay_keeps_its_word_if_it_was_needed_and_ended_as_it_says() -> None:
    trials = Trials(Play(), FOUND, 9)
    never = Named((Delay("a", "p", 1, ended("nobody")),))
    assert trials.fails(HELD)
    assert trials.fails(never)
    assert trials.keeps_word(HELD, HELD.delays[0])
    needless = Named((*HELD.delays, Delay("c", "start", 1, ended("b"))))
    assert trials.fails(needless)
    assert not trials.keeps_word(needless, needless.delays[1])
    assert not trials.keeps_word(never, never.delays[0])


def test_a_failing_run_is_made_simpler_choice_by_choice() -> None:
    play = Play()
    run = profiled(play, DecisionChooser([2, 1, 2, 1, 1, 2, 1, 1]))
    assert run.violation == FOUND
    found = simpler(Trials(play, FOUND, 200), run)
    assert found.violation == FOUND
    assert sum(choice.index > 0 for choice in found.choices) == 1
