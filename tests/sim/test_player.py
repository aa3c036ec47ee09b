# SPDX-License-Identifier: MIT
"""A player reports what came of a plan, the same every time."""

from __future__ import annotations

from sim.choices import DecisionChooser
from sim.player import Player, outcome
from sim.setup import Lab, Setup, read_setup
from tests.sim.orders import IDLE, LEAKING, Drawn, Natural

WAITING = """
name = "waiting"
story = "Somebody waits for what need not happen a second time."
[[device]]
name = "nvme0"
profile = "nvme-ssd"
[[actor]]
name = "administrator"
steps = [{ do = "offer", device = "nvme0" }, { wait = "driver-bound", count = 2 }]
"""


def test_a_clean_run_is_reported_without_its_choices() -> None:
    report = Player(IDLE)(Drawn(1))
    assert (report.verdict, report.violation, report.decisions) == ("clean", None, ())
    assert report.choices > 0
    assert report.steps > report.choices


def test_a_failing_run_is_reported_with_choices_that_play_it_again() -> None:
    report = Player(LEAKING)(Drawn(1))
    assert report.violation is not None
    assert report.violation.kind == "leak"
    assert len(report.decisions) == report.choices
    verdict, _ = outcome(Lab(LEAKING).world(DecisionChooser(report.decisions)))
    assert verdict.violation == report.violation


def test_the_same_plan_is_the_same_report_in_any_player() -> None:
    player = Player(IDLE)
    first = player(Drawn(1))
    player(Drawn(2))
    assert player(Drawn(1)) == first == Player(IDLE)(Drawn(1))


def test_other_orders_are_other_traces() -> None:
    player = Player(IDLE)
    assert len({player(Drawn(seed)).fingerprint for seed in range(6)}) > 1


def test_open_items_that_show_are_reported() -> None:
    report = Player(read_setup("rescind-without-eject"))(Drawn(1))
    assert (report.verdict, report.known) == ("known", ("O9",))


def test_what_a_chooser_branched_off_is_reported() -> None:
    report = Player(IDLE)(Natural())
    assert report.branches == (Drawn(report.choices),)


def test_a_step_that_comes_to_nothing_is_no_violation() -> None:
    report = Player(Setup(text=WAITING, source="waiting.toml"))(Drawn(1))
    assert (report.verdict, report.violation) == ("clean", None)
    assert report.unplayed is not None
    assert "driver-bound" in report.unplayed
