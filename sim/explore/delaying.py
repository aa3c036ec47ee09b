# SPDX-License-Identifier: MIT
"""Plays natural order but for some named delays and faults.

A delay holds a context at one of its stops while others go on in natural order; then the context
goes on at once, before whoever is current. A hold also ends when nothing else can go on, whatever
it waits for: nobody can wait for ever. A hold that is late or waits for what another does lets time
pass before it gives up. Which delay is worth trying is not decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sim.choices import NO_FAULT, PASSING, Option
from sim.explore.delays import Delay, FaultAt
from sim.explore.stops import Stop, StopCounter
from sim.explore.until import IDLE, parse_until

# How often a hold lets time pass at most once nothing else can go on; ``late`` says it itself. Who
# waits for another's doing waits for the messages it needs, too: the engine bounds how late a run
# may be.
LATENESSES: Final[Mapping[str, int]] = {"idle": 0, "steps": 0, "ended": 1000, "reached": 1000}


class _Hold:
    """One delay at work; ``lasted`` counts the choices for somebody else meanwhile."""

    __slots__ = ("applied", "begun", "delay", "lasted", "latenesses_left", "met", "until")

    def __init__(self, delay: Delay) -> None:
        self.delay = delay
        self.until = parse_until(delay.until)
        self.begun = 0  # the number of the choice at which it began
        self.lasted = 0
        self.latenesses_left = LATENESSES.get(self.until.kind, self.until.number)
        self.applied = False  # the order was another one for it
        self.met = False  # what its words say has come

    @property
    def unmet(self) -> bool:
        """It began, and what its words say did not come."""
        if self.until.kind == "late":
            return self.begun > 0 and self.latenesses_left > 0
        return self.begun > 0 and not self.met and self.until.kind != IDLE


class DelayChooser:
    """Plays natural order but for ``delays`` and ``faults``.

    Of two delays of one stop the later counts. Raises ValueError where a delay's end is in no
    known words.
    """

    def __init__(self, delays: Sequence[Delay], faults: Sequence[FaultAt] = ()) -> None:
        self._holds = [_Hold(delay) for delay in delays]
        self._pending = {hold.delay.stop: hold for hold in self._holds}
        self._held: dict[Option, _Hold] = {}
        self._watched = {delay.context for delay in delays}
        self._watched |= {hold.until.stop.context for hold in self._holds}
        self._latest: dict[str, Option] = {}  # of the watched names
        self._counter = StopCounter()
        self._choices = 0
        self._faults = {Stop(fault.fault, fault.at, fault.occurrence): fault for fault in faults}
        self._fault_counts: dict[tuple[str, str], int] = {}

    def choose(self, options: Sequence[Option]) -> int:
        if options[0] is NO_FAULT:
            return self._strike(options[1]) if self._faults else 0
        if not self._pending and not self._held:
            return 0
        self._choices += 1
        watched = self._watched
        for option in options:
            if option.name in watched:
                self._look_at(option)
        return self._around(options) if self._held else 0

    @property
    def unapplied(self) -> tuple[Delay, ...]:
        """The delays that changed nothing: their stop never came, or the order was that anyway."""
        return tuple(hold.delay for hold in self._holds if not hold.applied)

    @property
    def unmet(self) -> tuple[Delay, ...]:
        """The delays that began, and then ended only because nothing else could go on."""
        for hold in self._held.values():
            self._met(hold)
        return tuple(hold.delay for hold in self._holds if hold.unmet)

    @property
    def lasted(self) -> tuple[int, ...]:
        """For how many choices each delay held its context."""
        return tuple(hold.lasted for hold in self._holds)

    @property
    def unapplied_faults(self) -> tuple[FaultAt, ...]:
        """The faults whose moment never came."""
        return tuple(self._faults.values())

    def _strike(self, fault: Option) -> int:
        """A fault is offered: 1 if it is to happen now."""
        key = (fault.name, fault.at)
        count = self._fault_counts[key] = self._fault_counts.get(key, 0) + 1
        return int(self._faults.pop(Stop(*key, count), None) is not None)

    def _look_at(self, option: Option) -> None:
        """Somebody watched can go on: begin the delay of this stop, if there is one."""
        occurrence = self._counter.arrival(option)
        if not occurrence:
            return
        self._latest[option.name] = option
        unasked = self._held.pop(option, None)
        if unasked is not None:  # it went on as the only one who could
            self._met(unasked)
        hold = self._pending.pop(Stop(option.name, option.at, occurrence), None)
        if hold is not None:
            hold.begun = self._choices
            self._held[option] = hold

    def _around(self, options: Sequence[Option]) -> int:
        """The first option that is not held, or a held one whose time has come."""
        late = options[-1] is PASSING
        first = -1
        for index in range(len(options) - late):
            option = options[index]
            hold = self._held.get(option)
            if hold is None:
                if first < 0:
                    first = index
            elif self._met(hold):
                return self._let_go(option, index)
        if first < 0:
            return self._nobody_else(options)
        for option in options[:first]:
            self._held[option].applied = True
        self._pass_over()
        return first

    def _pass_over(self) -> None:
        """The choice is for somebody who is not held."""
        for hold in self._held.values():
            hold.lasted += 1

    def _let_go(self, option: Option, index: int) -> int:
        """End the hold of the option of that index, and choose it."""
        hold = self._held.pop(option)
        hold.applied |= index > 0
        return index

    def _nobody_else(self, options: Sequence[Option]) -> int:
        """All who can go on are held: time passes if one of them is late, or the oldest goes."""
        held = [self._held[option] for option in options if option is not PASSING]
        late = [hold for hold in held if hold.latenesses_left]
        if late and options[-1] is PASSING:
            late[0].latenesses_left -= 1
            for hold in held:
                hold.applied = True
            self._pass_over()
            return len(options) - 1
        index = min(range(len(held)), key=lambda index: held[index].begun)
        return self._let_go(options[index], index)

    def _met(self, hold: _Hold) -> bool:
        """Whether what the hold waits for has come."""
        kind, number, stop = hold.until
        if kind == "steps":
            hold.met = hold.lasted >= number
        elif kind == "reached":
            hold.met = self._counter.reached(stop)
        elif kind == "ended":
            latest = self._latest.get(stop.context)
            hold.met = latest is not None and latest.done
        return hold.met
