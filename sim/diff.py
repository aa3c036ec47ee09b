# SPDX-License-Identifier: MIT
"""Where two traces part: the first event in which they differ. Knows no meaning of events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

import msgspec

from sim.report.lane_rows import Row, rows_of
from sim.report.lanes import lines_of
from sim.trace import Stamped, as_dict

ROWS: Final = 6  # of the picture, before the difference and behind it


class Difference(msgspec.Struct, frozen=True):
    """``at`` counts events from 0; a side is None where its trace has ended."""

    at: int
    left: Stamped | None
    right: Stamped | None


def first_difference(left: Sequence[Stamped], right: Sequence[Stamped]) -> Difference | None:
    """The first place where time, context or event differ; None if the traces are the same."""
    for at, (ours, theirs) in enumerate(zip_longest(left, right)):
        if ours != theirs:
            return Difference(at, ours, theirs)
    return None


def difference_lines(
    difference: Difference, left: Sequence[Stamped], right: Sequence[Stamped]
) -> Iterator[str]:
    """The lanes up to the difference, then how each side goes on."""
    at = difference.at
    yield f"first difference at event {at}"
    yield from lanes_of(list(rows_of(left[:at]))[-ROWS:], heading=1)
    for name, event, trace in (
        ("left", difference.left, left),
        ("right", difference.right, right),
    ):
        yield f"{name}: {told(event)}"
        after = [row for row in rows_of(trace) if row.seq >= at]
        yield from lanes_of(after[:ROWS], heading=0)


def lanes_of(rows: Sequence[Row], *, heading: int) -> list[str]:
    """The picture of some rows, with or without its heading."""
    return list(lines_of(rows))[1 - heading :]


def told(event: Stamped | None) -> str:
    """One event in a line."""
    if event is None:
        return "the trace ends here"
    shown = as_dict(event)
    fields = " ".join(f"{key}={value}" for key, value in shown["fields"].items())
    return f"{shown['event']} in {shown['context']} at {shown['at_ns']} ns: {fields}".rstrip(": ")
