# SPDX-License-Identifier: MIT
"""The lanes around the moment at which a violation was found. Knows no scenario and no schedule."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from sim.report.lane_rows import Row, lane_of, rows_of
from sim.report.lanes import WIDE, Layout, lines_of
from sim.trace import Stamped
from sim.violation import Violation

ROWS_BEFORE: Final = 20  # with the report above it, what a screen shows
ROWS_AFTER: Final = 3  # where the run went on: a law may find at the end what came before


def moment_lines(
    events: Iterable[Stamped], violation: Violation, layout: Layout = WIDE
) -> Iterator[str]:
    """The picture of what led to the violation, which has a row of its own, as plain text."""
    rows = list(rows_of(events))
    at = _index_after(rows, violation.at_ns)
    first = max(0, at - ROWS_BEFORE)
    shown = [*rows[first:at], _found(violation), *rows[at : at + ROWS_AFTER]]
    heading, *lines = lines_of(shown, layout)
    yield heading
    if first:
        yield f"{'':>14}({first} rows before)"
    yield from lines
    after = len(rows) - at - ROWS_AFTER
    if after > 0:
        yield f"{'':>14}({after} rows after)"


def _index_after(rows: Sequence[Row], at_ns: int) -> int:
    """How many rows belong before the violation: those up to its time."""
    return sum(row.at_ns <= at_ns for row in rows)


def _found(violation: Violation) -> Row:
    return Row(
        seq=-1,
        at_ns=violation.at_ns,
        lane=lane_of(violation.context),
        direction="",
        message="",
        note=f"<== {violation.kind}",
    )
