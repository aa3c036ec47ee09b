# SPDX-License-Identifier: MIT
"""Two guests' wires beside each other: equal, equal but for what has a name, or not.

Order counts. Only where the whole orders part is each bus compared by itself, as contexts of
different buses run side by side, and which of them is first at one moment is nobody's law; that
is counted by a name, too. Knows no rule's reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from sim.diff import ROWS, lanes_of, told
from sim.report.lane_rows import rows_of
from sim.trace import Stamped
from sim.wire import Crossing, wire_of
from sim.wire_rules import SIDE_BY_SIDE, Rule, Side

ENDS: Final = "the wire is silent from here on"


class WireDifference(NamedTuple):
    """The first thing that differs, on each side; None where that one has ended."""

    lane: str
    left: Crossing | None
    right: Crossing | None


class Compared(NamedTuple):
    """What came of it: how often each name was needed, and what has none."""

    named: Counter[str]
    difference: WireDifference | None


def compare(left: Sequence[Stamped], right: Sequence[Stamped], rules: Sequence[Rule]) -> Compared:
    """Two traces by what crossed. ``left`` is the model's and ``right`` the driver's, for rules."""
    ours, theirs = wire_of(left), wire_of(right)
    whole = _compared(ours, theirs, rules)
    if whole.difference is None:
        return whole
    named = Counter[str]()
    for lane in dict.fromkeys(one.lane for one in (*ours, *theirs)):
        alone = _compared(_only(ours, lane), _only(theirs, lane), rules)
        if alone.difference is not None:
            return Compared(alone.named, alone.difference)
        named += alone.named
    named[SIDE_BY_SIDE] += 1
    return Compared(named, None)


def _only(side: Side, lane: str) -> Side:
    return [one for one in side if one.lane == lane]


def _compared(ours: Side, theirs: Side, rules: Sequence[Rule]) -> Compared:
    named = Counter[str]()
    i = j = 0
    while i < len(ours) or j < len(theirs):
        left = ours[i] if i < len(ours) else None
        right = theirs[j] if j < len(theirs) else None
        if left is not None and right is not None and left.event == right.event:
            i, j = i + 1, j + 1
            continue
        name, skipped = _explained(ours[i:], theirs[j:], rules)
        if not any(skipped):
            return Compared(named, _difference(left, right))
        named[name] += 1
        i, j = i + skipped[0], j + skipped[1]
    return Compared(named, None)


def _difference(left: Crossing | None, right: Crossing | None) -> WireDifference:
    first = left if left is not None else right
    assert first is not None, "both ends are no difference"
    return WireDifference(first.lane, left, right)


def _explained(ours: Side, theirs: Side, rules: Sequence[Rule]) -> tuple[str, tuple[int, int]]:
    """The first rule that accounts for anything here."""
    for rule in rules:
        skipped = rule.skip(ours, theirs)
        if any(skipped):
            return rule.name, skipped
    return "", (0, 0)


def wire_lines(
    difference: WireDifference, left: Sequence[Stamped], right: Sequence[Stamped]
) -> Iterator[str]:
    """The lanes up to the difference, then how each side goes on."""
    yield f"first difference on the wire of {difference.lane}"
    sides = (("left", difference.left, left), ("right", difference.right, right))
    for name, crossing, trace in sides:
        at = len(trace) if crossing is None else crossing.seq
        yield f"{name}: {ENDS if crossing is None else told(trace[at])}"
        rows = list(rows_of(trace))
        before = [row for row in rows if row.seq < at][-ROWS:]
        after = [row for row in rows if row.seq >= at][:ROWS]
        yield from lanes_of(before + after, heading=int(name == "left"))
