# SPDX-License-Identifier: MIT
"""Who started whom, as far as a baseline shows, and what is counted for all who are above.

Nobody tells: who moved just before a context was first seen is taken to have started it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from itertools import pairwise

from sim.explore.profile import Baseline, Moment


def parents_of(baseline: Baseline) -> dict[str, str]:
    """Who started whom, as the first run tells in which the new one was seen."""
    parents: dict[str, str] = {}
    for run in baseline.runs:
        seen = {stop.context for stop in run.moments[0].stops} if run.moments else set()
        for before, moment in pairwise(run.moments):
            for stop in moment.stops:
                if stop.context not in seen and not before.late:
                    parents.setdefault(stop.context, _who_moved(before, moment, seen))
            seen |= {stop.context for stop in moment.stops}
    return parents


def _who_moved(before: Moment, moment: Moment, known: Collection[str]) -> str:
    """Whoever known is stopped elsewhere now; if nobody is, who was chosen waits or has ended."""
    for stop in moment.stops:
        if stop.context in known and stop not in before.stops:
            return stop.context
    return before.stops[before.taken].context


def with_descendants(events: Counter[str], parents: Mapping[str, str]) -> dict[str, int]:
    """The same with each context's events counted for all who are above it, too."""
    total = Counter(events)
    for name, count in events.items():
        above = _above(name, parents)
        for ancestor in above:
            total[ancestor] += count
    return dict(total)


def _above(name: str, parents: Mapping[str, str]) -> list[str]:
    """Its parent, that one's parent, and so on; walks may differ, so a circle is cut."""
    above: list[str] = []
    parent = parents.get(name)
    while parent is not None and parent != name and parent not in above:
        above.append(parent)
        parent = parents.get(parent)
    return above
