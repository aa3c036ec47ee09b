# SPDX-License-Identifier: MIT
"""A body is judged by what it raises, and nothing that it catches hides what it is not to see."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from sim.choices import Choice, ReplayChooser, ScheduleDiverged
from sim.explore.named import NATURAL
from sim.explore.strategy import Exhausted, Plan, RunReport
from sim.source_hashes import file_hash
from sim.testing import Vpci
from sim.testing.body import ASSERTION, Body
from sim.testing.exploring import UntilFound
from sim.testing.fixture import Attempt
from sim.testing.refused import Refused
from sim.violation import Violation
from tests.sim.orders import Drawn
from tests.sim.testing.benches import TWO, bench

HERE = Path(__file__)


def body(call: Callable[[Vpci], object]) -> Body:
    """The body of a test in this file."""
    ours = bench()
    return Body(lambda: call(Vpci(ours)), ours, HERE)


def gives_up(vpci: Vpci) -> None:
    """Asserts what is not so."""
    assert not vpci.run(TWO).sent("PCI_EJECT")


def test_an_assertion_is_known_by_its_line_and_told_by_its_source() -> None:
    violation = body(gives_up)(NATURAL.chooser())
    assert violation is not None
    assert violation.kind == ASSERTION
    assert violation.law.startswith("test_body.py:")
    assert violation.message.startswith("AssertionError at 'assert not vpci.run(TWO).sent(")
    assert violation.at_ns > 10**6
    assert violation == body(gives_up)(NATURAL.chooser())


def test_a_world_that_is_violated_fails_the_body_as_it_is() -> None:
    violation = body(lambda vpci: vpci.run(TWO, defects=["eject-ref-leak"]))(NATURAL.chooser())
    assert violation is not None
    assert violation.kind == "leak"


def test_a_report_adds_up_all_worlds() -> None:
    one = body(lambda vpci: vpci.run(TWO)).report(Drawn(1))
    two = body(lambda vpci: (vpci.run("arrival"), vpci.run(TWO))).report(Drawn(1))
    assert one.verdict == two.verdict == "clean"
    assert two.steps > one.steps
    assert two.choices > one.choices
    assert two.fingerprint != one.fingerprint


def test_who_catches_everything_does_not_hide_a_schedule_that_does_not_fit() -> None:
    def catching(vpci: Vpci) -> None:
        with contextlib.suppress(Exception):
            vpci.run(TWO)

    wrong = ReplayChooser([Choice(0, "nobody", "nowhere")])
    with pytest.raises(ScheduleDiverged):
        body(catching).attempted(Attempt(wrong))


@pytest.mark.parametrize("error", [Refused("no"), pytest.skip.Exception("no")])
def test_what_is_no_failure_passes_through(error: BaseException) -> None:
    def refusing(_vpci: Vpci) -> None:
        raise error

    with pytest.raises(type(error)):
        body(refusing)(NATURAL.chooser())


def test_a_schedule_is_against_the_tests_own_file_too() -> None:
    ours = body(lambda vpci: vpci.run(TWO))
    assert ours.against() == {"test_body.py": file_hash(HERE)}
    ours(NATURAL.chooser())
    assert {"test_body.py", "guest", "host", "protocol", "sim"} == ours.against().keys()


class Endless:
    """A strategy that always has one more plan."""

    name = "endless"
    exhausted: tuple[Exhausted, ...] = ()

    def __init__(self) -> None:
        self.learnt = 0

    def plans(self, most: int) -> list[Plan]:
        return [Drawn(seed) for seed in range(most)]

    def learn(self, _plan: Plan, _report: RunReport) -> None:
        self.learnt += 1


def test_exploring_ends_with_the_batch_that_has_shown_something() -> None:
    inner = Endless()
    strategy = UntilFound(inner)
    clean = RunReport(verdict="clean", fingerprint=0, steps=0, choices=0)
    found = RunReport(
        verdict="violation",
        fingerprint=0,
        steps=0,
        choices=0,
        violation=Violation("leak", "law", "message", "end of run", 0),
    )
    for plan, report in zip(strategy.plans(3), (clean, found, clean), strict=True):
        strategy.learn(plan, report)
    assert inner.learnt == 3
    assert strategy.plans(3) == []
