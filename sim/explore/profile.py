# SPDX-License-Identifier: MIT
"""What a few runs show of a scenario: where there were choices, between whom.

Strategies are built on it: how long a run is, who takes part, at what points they meet. One run is
in natural order. In that one, contexts tend to run one after another, and who runs alone has no
choices: so an opposite order and a few random walks come with it, for estimates only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median_high
from typing import Final, NamedTuple

import msgspec

from sim.choices import NO_FAULT, PASSING, Chooser, Option, RandomChooser
from sim.explore.stops import Stop, StopCounter

WALKS: Final = 7  # an odd number has a median; more would cost more than they tell


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


class Profile(msgspec.Struct, frozen=True):
    """The choices of one run: who could go on, and what could have failed (fault's name, what)."""

    moments: tuple[Moment, ...]
    faults: tuple[tuple[str, str], ...] = ()

    @property
    def choices(self) -> int:
        """How many choices there were, of all kinds."""
        return len(self.moments) + len(self.faults)

    @property
    def contested(self) -> int:
        """At how many choices more than one could go on."""
        return sum(len(moment.stops) > 1 for moment in self.moments)

    @property
    def may_be_late(self) -> int:
        """At how many choices time could have passed."""
        return sum(moment.may_be_late for moment in self.moments)

    def taken(self) -> list[Stop]:
        """The stops from which somebody was chosen to go on."""
        return [moment.stops[moment.taken] for moment in self.moments if not moment.late]


class Baseline(msgspec.Struct, frozen=True):
    """The run in natural order, the one in which the youngest goes first, and random walks."""

    natural: Profile
    youngest: Profile
    walks: tuple[Profile, ...]

    @property
    def runs(self) -> tuple[Profile, ...]:
        """All of them."""
        return (self.natural, self.youngest, *self.walks)

    def typical(self, measure: Callable[[Profile], int]) -> int:
        """The median of a measure over the walks."""
        return median_high(measure(walk) for walk in self.walks)


class Youngest:
    """Whoever was seen last of all goes on for as long as it can: natural order turned around."""

    def __init__(self) -> None:
        self._ages: dict[Option, int] = {}

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is NO_FAULT:
            return 0
        ages = self._ages
        runnable = len(options) - (options[-1] is PASSING)
        for option in options[:runnable]:
            ages.setdefault(option, len(ages))
        return max(range(runnable), key=lambda index: ages[options[index]])


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

    def profile(self) -> Profile:
        """What was remembered so far."""
        return Profile(tuple(self._moments), tuple(self._faults))

    def _stop(self, option: Option) -> Stop:
        occurrence = self._counter.arrival(option)
        if occurrence:
            self._stops[option] = Stop(option.name, option.at, occurrence)
        return self._stops[option]


def profile_of(play: Callable[[Chooser], object], inner: Chooser | None = None) -> Profile:
    """Play once by ``play(chooser)``, as ``inner`` chooses, and tell what there was to choose."""
    profiler = Profiler(inner)
    play(profiler)
    return profiler.profile()


def baseline_of(play: Callable[[Chooser], object]) -> Baseline:
    """Play some runs by ``play(chooser)``, always the same ones."""
    walks = tuple(profile_of(play, RandomChooser(seed)) for seed in range(WALKS))
    return Baseline(profile_of(play), profile_of(play, Youngest()), walks)
