# SPDX-License-Identifier: MIT
"""In which function, on which line of it, contexts stand when they are held. Changes no run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from guest.kernel.context import Context
from sim.choices import NO_FAULT, Chooser, Option
from sim.explore.delays import Delay
from sim.explore.named import Named
from sim.explore.stops import Stop, StopCounter
from sim.stacks import place_of


class PlaceWatcher:
    """Asks another chooser, and notes where contexts stand at these stops."""

    def __init__(self, inner: Chooser, stops: Iterable[Stop]) -> None:
        self._inner = inner
        self._wanted = set(stops)
        self._names = {stop.context for stop in self._wanted}
        self._counter = StopCounter()
        self._places: dict[Stop, str] = {}

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is not NO_FAULT:
            for option in options:
                if option.name in self._names:
                    self._look_at(option)
        return self._inner.choose(options)

    def _look_at(self, option: Option) -> None:
        occurrence = self._counter.arrival(option)
        stop = Stop(option.name, option.at, occurrence)
        if occurrence and stop in self._wanted and isinstance(option, Context):
            self._places[stop] = place_of(option.coroutine)

    def placed(self, named: Named) -> Named:
        """The same order with the places that were seen."""
        return replace(named, delays=tuple(map(self._placed, named.delays)))

    def _placed(self, delay: Delay) -> Delay:
        return replace(delay, where=self._places.get(delay.stop, ""))
