# SPDX-License-Identifier: MIT
"""A run as what it did otherwise than natural order: named delays and faults. Plays nothing.

A stop of a context is a departure if somebody after it among the options went on instead, unless
that one had been held and was let go: then the context was held at this stop until it was chosen at
last. Counted in choices, that says exactly what happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from sim.choices import FAULT_PREFIX, NO_FAULT, Choice
from sim.explore.delaying import DelayChooser
from sim.explore.delays import Delay, FaultAt
from sim.explore.profile import Moment, Profile
from sim.explore.stops import Stop
from sim.explore.until import IDLE, ended, late, reached, steps


class Named(msgspec.Struct, frozen=True):
    """A schedule that people can read: natural order but for these."""

    delays: tuple[Delay, ...] = ()
    faults: tuple[FaultAt, ...] = ()

    def chooser(self) -> DelayChooser:
        """A new chooser for one run."""
        return DelayChooser(self.delays, self.faults)


NATURAL: Final = Named()


class Wait(NamedTuple):
    """A stop and the moments, by index, between which its context waited there.

    ``ended`` is None where no choice let it go on. ``passed`` says whether somebody after it went
    on instead, ``held`` whether that was a departure; ``latenesses`` is how often time passed for
    it. ``until`` tells how it ended, in words that are as exact as can be.
    """

    stop: Stop
    begun: int
    ended: int | None
    passed: bool
    held: bool
    latenesses: int
    until: str

    def delay(self) -> Delay:
        """What makes the context wait here as long as it did."""
        return Delay(*self.stop, late(self.latenesses) if self.latenesses else self.until)


def named(run: Profile, choices: Sequence[Choice]) -> Named:
    """The delays and faults of a run, of which ``choices`` are all that were made."""
    delays = tuple(wait.delay() for wait in waits_of(run.moments) if wait.held)
    return Named(delays, tuple(_faults(run, choices)))


def waits_of(moments: Sequence[Moment]) -> tuple[Wait, ...]:
    """Every stop at which somebody could have gone on, in the order in which they came."""
    begun: dict[Stop, int] = {}
    gone_on: dict[Stop, int] = {}
    passed: set[Stop] = set()
    held: set[Stop] = set()
    released: list[bool] = []  # whether the choice let somebody go who was held
    for number, moment in enumerate(moments):
        for stop in moment.stops:
            begun.setdefault(stop, number)
        passed.update(moment.stops[: moment.taken])
        released.append(not moment.late and moment.stops[moment.taken] in held)
        if not released[-1]:
            held.update(moment.stops[: moment.taken])
        if not moment.late:
            gone_on[moment.stops[moment.taken]] = number
    bearers = _bearers(moments, gone_on)
    ends = {
        stop: _until(stop, n, gone_on.get(stop), moments, released) for stop, n in begun.items()
    }
    return tuple(
        Wait(stop, n, gone_on.get(stop), stop in passed, stop in held, bearers[stop], ends[stop])
        for stop, n in begun.items()
    )


def _until(
    stop: Stop, begun: int, last: int | None, moments: Sequence[Moment], released: Sequence[bool]
) -> str:
    """How a wait ended: after so many choices for somebody else, but for those that let one go.

    So of two that are let go one after the other, it must be said of the second why it was not the
    first: by what the first did meanwhile. (Where that was to wait, nothing can be said.)
    """
    if last is None or last == begun:
        return IDLE
    before = moments[last - 1]
    if released[last - 1] and stop in before.stops[: before.taken]:
        first = before.stops[before.taken].context
        new = [reached(other) for other in moments[last].stops if other not in before.stops]
        if new or not _seen(first, moments[last:]):
            return new[0] if new else ended(first)
    return steps(max(1, released[begun:last].count(False)))  # at least one, in the words


def _seen(context: str, moments: Sequence[Moment]) -> bool:
    return any(stop.context == context for moment in moments for stop in moment.stops)


def _bearers(moments: Sequence[Moment], gone_on: dict[Stop, int]) -> Counter[Stop]:
    """For whose sake time passed, and how often: of those held then, who was held longest after."""
    return Counter(
        max(moment.stops, key=lambda stop: gone_on.get(stop, len(moments)))
        for moment in moments
        if moment.late
    )


def _faults(run: Profile, choices: Sequence[Choice]) -> Iterator[FaultAt]:
    """The faults that happened: of each name and place, the how-manieth that could have."""
    asked = (choice for choice in choices if _is_about_a_fault(choice))
    counts: Counter[tuple[str, str]] = Counter()
    for fault, choice in zip(run.faults, asked, strict=True):
        counts[fault] += 1
        if choice.index:
            yield FaultAt(*fault, counts[fault])


def _is_about_a_fault(choice: Choice) -> bool:
    return choice.name == NO_FAULT.name or choice.name.startswith(FAULT_PREFIX)
