# SPDX-License-Identifier: MIT
"""Where a context is stopped, counted: the coordinates of delays and profiles. Decides nothing.

A context stops at a point only where something else could go on, so the counts belong to one order
of events; another order may count otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from sim.choices import Option


class Stop(NamedTuple):
    """The ``occurrence``-th time (from 1) that ``context`` is stopped at ``point``."""

    context: str
    point: str
    occurrence: int


class StopCounter:
    """Counts the stops of the options it is shown, each stop once however often it is shown."""

    __slots__ = ("_counts", "_last")

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], int] = {}
        self._last: dict[Option, int] = {}

    def arrival(self, option: Option) -> int:
        """Which occurrence this stop is, if it is shown for the first time; else 0."""
        stop = option.stop
        if self._last.get(option, -1) == stop:
            return 0
        self._last[option] = stop
        key = (option.name, option.at)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return count

    def reached(self, stop: Stop) -> bool:
        """Whether that stop has been counted."""
        return self._counts.get((stop.context, stop.point), 0) >= stop.occurrence
