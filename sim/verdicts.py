# SPDX-License-Identifier: MIT
"""What was said of runs of one setup, by what happened in them: a stream of events is judged once.

It is kept with what the library remembers, so that other processes that share that need not judge
it either. Knows no law.
"""

from __future__ import annotations

import pickle
from array import array
from typing import Final, NamedTuple

from guest.native.known import Known
from sim.explore.strategy import RunReport

# The laws count nothing shorter (interrupts_arrive.PATIENCE_NS is the shortest). So of runs that
# are shorter, one verdict holds for all that have the same events, whenever these came.
PATIENCE_NS: Final = 30 * 10**9


class Ran(NamedTuple):
    """A run that is over: digests of what happened and of when, the library's number for how it
    ended, and when."""

    stream: int
    times: int
    latest: int
    at_ns: int


class Verdicts:
    """Reports on runs, but for their choices. ``times_count`` says that some law may look at them
    however short a run is."""

    def __init__(self, known: Known, *, times_count: bool) -> None:
        self._known = known
        self._times_count = times_count
        self._found: dict[tuple[int, ...], RunReport] = {}

    def find(self, run: Ran) -> RunReport | None:
        """What was said of a run in which the same happened."""
        report = self._get((run.stream, run.latest)) if run.at_ns < PATIENCE_NS else None
        return report or self._get((run.stream, run.latest, run.times))

    def keep(self, run: Ran, report: RunReport) -> None:
        """It holds for all runs that are the same; where times count, at the same times."""
        timeless = report.violation is None and run.at_ns < PATIENCE_NS and not self._times_count
        key = (run.stream, run.latest) if timeless else (run.stream, run.latest, run.times)
        self._found[key] = report
        self._known.keep_verdict(_packed(key), pickle.dumps(report, pickle.HIGHEST_PROTOCOL))

    def _get(self, key: tuple[int, ...]) -> RunReport | None:
        report = self._found.get(key)
        if report is None:
            kept = self._known.verdict(_packed(key))
            if kept is not None:
                report = self._found[key] = pickle.loads(kept)
        return report


def _packed(key: tuple[int, ...]) -> bytes:
    return array("Q", key).tobytes()
