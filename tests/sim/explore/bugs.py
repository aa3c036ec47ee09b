# SPDX-License-Identifier: MIT
"""Planted bugs: toys that come to harm in some orders only, and how a strategy is set on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple
from zlib import crc32

from sim.choices import Chooser, RecordingChooser
from sim.explore.profile import Baseline, baseline_of
from sim.explore.strategy import Brancher, Plan, RunReport, Strategy
from sim.violation import Violation
from tests.sim.explore.toys import Body, Sleep, Toy

BATCH = 32
LONG = 20  # steps of a starved context's rival


class Bug(NamedTuple):
    """A toy whose ``state["harm"]`` becomes true in some orders."""

    bodies: Mapping[str, Body]
    lates: int = 0


def _checks_then_uses(toy: Toy) -> Iterator[object]:
    yield "lock list"
    freed = toy.state.get("freed", False)
    yield "unlock list"
    yield "read device"
    toy.state["harm"] = not freed and toy.state.get("freed", False)


def _frees(toy: Toy) -> Iterator[object]:
    yield "lock list"
    toy.state["freed"] = True
    yield "unlock list"


def _first_and_third(toy: Toy) -> Iterator[object]:
    yield "lock list"
    toy.state["order"] = "1"
    yield "unlock list"
    yield "read device"
    toy.state["order"] += "3"


def _second_and_fourth(toy: Toy) -> Iterator[object]:
    yield "lock list"
    toy.state["order"] = toy.state.get("order", "") + "2"
    yield "unlock list"
    yield "read device"
    toy.state["order"] += "4"
    toy.state["harm"] = toy.state["order"] == "1234"


def _starved(toy: Toy) -> Iterator[object]:
    yield "read device"
    toy.state["starved"] = toy.state.get("steps", 0)


def _busy(toy: Toy) -> Iterator[object]:
    yield "lock list"
    before = "starved" not in toy.state
    for step in range(LONG):
        toy.state["steps"] = step
        yield "read list"
    toy.state["harm"] = before and "starved" not in toy.state


def _slow(toy: Toy) -> Iterator[object]:
    yield "read device"
    toy.state["harm"] = toy.state.get("timed out", False)


def _times_out(toy: Toy) -> Iterator[object]:
    yield Sleep("wait reply")
    toy.state["timed out"] = True


def _fails_twice(toy: Toy) -> Iterator[object]:
    failed = [toy.fails("fault ring-full", "sendpacket") for _ in range(6)]
    yield "read device"
    toy.state["harm"] = failed[3]


def _other(_: Toy) -> Iterator[object]:
    yield "lock other"
    yield "unlock other"


BUGS: Final[Mapping[str, Bug]] = {
    "use after free": Bug({"uses": _checks_then_uses, "frees": _frees, "other": _other}),
    "four in turn": Bug({"odd": _first_and_third, "even": _second_and_fourth, "other": _other}),
    "starved": Bug({"starved": _starved, "busy": _busy, "other": _other}),
    "late": Bug({"timeout": _times_out, "slow": _slow, "other": _other}, lates=1),
    "fault": Bug({"fails": _fails_twice, "other": _other}),
}


def play(bug: Bug, chooser: Chooser) -> Toy:
    """One run of a planted bug."""
    toy = Toy(bug.bodies, chooser, lates=bug.lates)
    toy.run()
    return toy


def profile(bug: Bug) -> Baseline:
    return baseline_of(lambda chooser: play(bug, chooser))


def report_of(bug: Bug, plan: Plan) -> RunReport:
    """Play a plan as a campaign would."""
    inner = plan.chooser()
    recording = RecordingChooser(inner)
    toy = play(bug, recording)
    harm = Violation("use-after-free", "no harm", "harm", "toy", 0) if toy.state["harm"] else None
    return RunReport(
        verdict="violation" if harm else "clean",
        fingerprint=crc32("\n".join([*toy.log, str(harm)]).encode()),
        steps=toy.steps,
        choices=toy.choices,
        violation=harm,
        decisions=tuple(recording.decisions) if harm else (),
        branches=inner.branches() if isinstance(inner, Brancher) else (),
    )


def reports(bug: Bug, strategy: Strategy, most: int) -> Iterator[tuple[Plan, RunReport]]:
    """What becomes of the first so many plans."""
    played = 0
    while played < most and (batch := strategy.plans(min(BATCH, most - played))):
        played += len(batch)
        outcome = [(plan, report_of(bug, plan)) for plan in batch]
        for plan, report in outcome:
            strategy.learn(plan, report)
        yield from outcome


def first_hit(bug: Bug, make: Callable[[Baseline, int], Strategy], seed: int, most: int) -> int:
    """How many plans it takes; more than ``most`` if it is not found."""
    found = reports(bug, make(profile(bug), seed), most)
    hits = (number for number, (_, report) in enumerate(found, 1) if report.violation)
    return next(hits, most + 1)
