# SPDX-License-Identifier: MIT
"""What came of exploring, for people: an order in words, and a bar on a terminal only."""

from __future__ import annotations

import io
import sys
from collections import Counter

import msgspec
import pytest

from sim.campaign import Found, Result
from sim.choices import Choice
from sim.closing import closing
from sim.explore.delay_plan import DelayPlan
from sim.explore.delays import Delay, FaultAt
from sim.explore.explain import Chance, Explanation
from sim.explore.named import Named
from sim.explore.strategy import RunReport
from sim.keeping import Kept
from sim.report.exploration import closing_lines, kept_lines, schedule_lines, unmet_lines
from sim.report.progress import progress_of
from sim.schedule import Schedule
from sim.setup import Setup
from sim.violation import Violation

EJECT = Delay("hv_eject_device_work", "lock a", 2, "ended remove")
DUE = Delay("PCI_EJECT", "", 11)
LOST = FaultAt("lost-message", "PCI_EJECT", 3)
BARE = Schedule(
    scenario="arrival",
    violation=Violation("leak", "nothing is lost", "left behind", "end of run", 7),
    setup=Setup(text="", source=""),
    against={},
    choices_made=1,
    choices=(Choice(0, "a", "b"),),
)
EJECT_WORDS = "`hv_eject_device_work` at its 2nd `lock a` until `remove` has returned"


def told(**fields: object) -> list[str]:
    return list(schedule_lines(msgspec.structs.replace(BARE, **fields)))


def test_an_order_is_told_in_words() -> None:
    assert told(delays=(EJECT, DUE), faults=(LOST,)) == [
        f"delay    {EJECT_WORDS}",
        "delay    `PCI_EJECT` when it is due the 11th time until nothing else can go on",
        "fault    `lost-message` of PCI_EJECT, the 3rd time it could happen",
    ]


def test_natural_order_and_an_order_without_words_are_named_so() -> None:
    assert told() == ["order    natural"]
    assert told(in_words=False) == ["order    1 choices that were not put into words"]


def test_a_delay_that_ended_otherwise_than_it_says_is_told() -> None:
    assert list(unmet_lines(BARE, (EJECT,))) == [
        f"unmet    {EJECT_WORDS}: that did not come, and it went on last"
    ]
    assert list(unmet_lines(BARE, ())) == []


def test_a_twin_that_passes_is_told_by_what_differs() -> None:
    assert told(delays=(EJECT,), passing_twin=Named())[1:] == ["passes   in natural order"]
    less = told(delays=(EJECT,), faults=(LOST,), passing_twin=Named((), (LOST,)))
    assert less[2:] == [f"passes   without this delay {EJECT_WORDS}"]
    more = told(faults=(LOST,), passing_twin=Named((EJECT,), (LOST,)))
    assert more[1:] == [f"passes   with one more delay {EJECT_WORDS}"]


def test_a_mistake_is_told_with_its_finder_its_curve_if_asked_for_and_its_file() -> None:
    found = Found(3, DelayPlan(), RunReport(verdict="violation", fingerprint=0, steps=0, choices=0))
    bare = list(kept_lines(Kept(found=found, schedule=BARE, file="a.json")))
    assert bare[-3:] == [
        "found    at schedule 3, by delay",
        "order    natural",
        "replay   vpcisim replay a.json",
    ]
    curve = Explanation((Chance(0, 20, 20),), 0, None)
    told = list(kept_lines(Kept(found=found, schedule=BARE, file="a.json", explanation=curve)))
    assert told[-2] == "it was inevitable from the beginning: no completion passed"


@pytest.mark.parametrize("why", [None, "interrupted", "11 processes in a row ended"])
def test_a_campaign_that_was_cut_short_says_by_what(why: str | None) -> None:
    counts = closing(Counter([1, 2]), drawn=2, failed=0, lost=0, determinism_checks=1, exhausted=())
    lines = closing_lines(
        Result(
            found=(), shares=(), closing=counts, known=(), unplayed=0, seconds=1.0, cut_short=why
        )
    )
    told = [line for line in lines if line.startswith("ended")]
    assert told == ([] if why is None else [f"ended    early: {why}"])


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "shown"), [(Terminal(), True), (io.StringIO(), False)])
def test_progress_is_for_terminals(
    stream: io.StringIO, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with progress_of("exploring", 10) as progress:
        progress(10, 2)
    assert ("10/10" in stream.getvalue() and "2 found" in stream.getvalue()) == shown
    assert bool(stream.getvalue()) == shown
