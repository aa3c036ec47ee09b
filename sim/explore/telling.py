# SPDX-License-Identifier: MIT
"""By what other delay the same run could be told, the most telling first. Tries nothing.

"Until ``hv_pci_remove`` has returned" tells a reader more than a number of choices, and still means
something when the code has changed. And it tells more that the context in which the violation was
found was held than that another one was let go before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from sim.explore.delays import Delay
from sim.explore.named import Wait, waits_of
from sim.explore.profile import Moment
from sim.explore.stops import Stop
from sim.explore.until import IDLE, ended, reached

ENDS_MAX: Final = 40  # of one hold; what decides lies close to its end
ENDS_OF_OTHERS_MAX: Final = 6  # of each other stop that could be held instead
_INTERRUPT: Final = "@"  # in the names of hard and soft interrupts: their CPU follows


class End(NamedTuple):
    """Words for the end of a hold, and how little they tell, from 0."""

    rank: int
    words: str


def retellings(
    delays: Sequence[Delay], at: int, moments: Sequence[Moment], culprit: str
) -> list[Delay]:
    """Delays that could stand for that of index ``at`` in a run of these delays.

    ``culprit`` is the title of the context in which the violation was found; to hold it tells most.
    A context that is let go goes on before whoever is current: to hold that one may tell the same.
    """
    waits = waits_of(moments)
    held = {delay.stop for delay in delays}
    own = [wait for wait in waits if wait.stop == delays[at].stop]
    overtaken = [wait for wait in reversed(waits) if wait.passed and wait.stop not in held]
    ranked = [
        ((not is_titled(wait.stop.context, culprit), end.rank), Delay(*wait.stop, end.words))
        for found, most in ((own, ENDS_MAX), (overtaken, ENDS_OF_OTHERS_MAX))
        for wait in found
        for end in ends_of(wait, moments)[:most]
    ]
    ranked.sort(key=itemgetter(0))
    return [told for _, told in ranked]


def is_titled(name: str, title: str) -> bool:
    """Whether a context of that title has that name; the second of a title is ``title#2``."""
    return title in (name, name.rpartition("#")[0])


def ends_of(wait: Wait, moments: Sequence[Moment]) -> list[End]:
    """Words for the end of the hold, the most telling first.

    Threads and work before interrupts; the end of a context before a stop of it; what happened last
    in the hold before what happened earlier, and that before what came after it.
    """
    finals = _near(_last_shown(moments), wait, len(moments))
    stops = _near(_first_shown(moments), wait, len(moments))
    ends = [
        *(End(3 * (_INTERRUPT in stop.context), ended(stop.context)) for stop in finals),
        *(End(1 + 3 * (_INTERRUPT in stop.context), reached(stop)) for stop in stops),
        End(2, IDLE),
    ]
    return sorted(ends, key=itemgetter(0))


def _last_shown(moments: Sequence[Moment]) -> dict[Stop, int]:
    """The last stop of each context, and when it was last seen there: soon after that it ended."""
    latest: dict[str, tuple[Stop, int]] = {}
    for number, moment in enumerate(moments):
        latest.update((stop.context, (stop, number)) for stop in moment.stops)
    return dict(latest.values())


def _first_shown(moments: Sequence[Moment]) -> dict[Stop, int]:
    """When each stop was reached."""
    return {wait.stop: wait.begun for wait in waits_of(moments)}


def _near(when: dict[Stop, int], wait: Wait, length: int) -> list[Stop]:
    """Those of other contexts: the ones during the hold, latest first, then those after it."""
    last = length if wait.ended is None else wait.ended
    others = {stop: at for stop, at in when.items() if stop.context != wait.stop.context}
    during = [stop for stop, at in others.items() if wait.begun <= at <= last]
    after = [stop for stop, at in others.items() if at > last]
    during.sort(key=lambda stop: -others[stop])
    after.sort(key=lambda stop: others[stop])
    return [*during, *after]
