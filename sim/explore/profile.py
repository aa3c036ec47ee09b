# SPDX-License-Identifier: MIT
"""What one run in natural order shows of a scenario: where there were choices, between whom.

Strategies are built on it: how long a run is, who takes part, at what points they meet. It knows
the order of one run only; another order has other moments.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import msgspec

from sim.choices import NO_FAULT, PASSING, Chooser, Option
from sim.explore.stops import Stop, StopCounter


class Moment(NamedTuple):
    """One choice of who goes on. ``taken`` is an index into ``stops``, ``late`` that time passed.

    ``may_be_late`` says that time could have passed instead.
    """

    stops: tuple[Stop, ...]
    taken: int
    may_be_late: bool

    @property
    def late(self) -> bool:
        """Whether time passed."""
        return self.taken == len(self.stops)


class Baseline(msgspec.Struct, frozen=True, dict=True):
    """The choices of a run: who could go on, and what could have failed (fault's name, what)."""

    moments: tuple[Moment, ...]
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def choices(self) -> int:
        """How many choices there were, of all kinds."""
        return len(self.moments) + len(self.faults)

    @cached_property
    def steps(self) -> Mapping[str, int]:
        """How often each context was chosen, by name."""
        return Counter(m.stops[m.taken].context for m in self.moments if not m.late)

    @cached_property
    def may_be_late(self) -> int:
        """At how many choices time could have passed."""
        return sum(moment.may_be_late for moment in self.moments)


class Profiler:
    """Asks another chooser, natural order by default, and remembers what there was to choose."""

    def __init__(self, inner: Chooser | None = None) -> None:
        self._inner = inner
        self._counter = StopCounter()
        self._stops: dict[Option, Stop] = {}
        self._moments: list[Moment] = []
        self._faults: list[tuple[str, str]] = []

    def choose(self, options: Sequence[Option]) -> int:
        index = 0 if self._inner is None else self._inner.choose(options)
        if options[0] is NO_FAULT:
            self._faults.append((options[1].name, options[1].at))
            return index
        may_be_late = options[-1] is PASSING
        runnable = options[:-1] if may_be_late else options
        stops = tuple(self._stop(option) for option in runnable)
        self._moments.append(Moment(stops, index, may_be_late))
        return index

    def baseline(self) -> Baseline:
        """What was remembered so far."""
        return Baseline(tuple(self._moments), tuple(self._faults))

    def _stop(self, option: Option) -> Stop:
        occurrence = self._counter.arrival(option)
        if occurrence:
            self._stops[option] = Stop(option.name, option.at, occurrence)
        return self._stops[option]


def baseline_of(play: Callable[[Chooser], object]) -> Baseline:
    """Play once in natural order, by ``play(chooser)``, and tell what there was to choose."""
    profiler = Profiler()
    play(profiler)
    return profiler.baseline()
