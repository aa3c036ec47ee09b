# SPDX-License-Identifier: MIT
"""The chooser port and the only randomness of the lab. Knows options only by name and place.

A run is its list of choices. Whoever runs contexts asks ``choose(options)`` at every moment that
has more than one option; natural order is index 0. Seeds go through SplitMix64 (Steele, Lea and
Flood, OOPSLA 2014), so that another language draws the same numbers.

At most moments the options are who may go on: the current context first, then the longest runnable,
and last, if it is allowed now, that time passes instead. A fault is a choice of its own between
nothing and that fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

import msgspec

_MASK = (1 << 64) - 1


class Option(Protocol):
    """What may happen next.

    ``name`` is stable across runs: a context's name, a host action's label, ``time``, or ``fault``
    with the fault's name. ``at`` is where a context is stopped (``lock state_lock``; ``start``
    before its first step), what a fault would hit, and empty for the rest. ``stop`` differs from
    one stop of a context to its next: the number of the engine's step that ended there. ``done``
    says of an option that was kept whether it has come to its end since.
    """

    @property
    def name(self) -> str: ...
    @property
    def at(self) -> str: ...
    @property
    def stop(self) -> int: ...
    @property
    def done(self) -> bool: ...


class Chooser(Protocol):
    """Decides which option happens next; returns an index into ``options``.

    The list is the caller's: it may be another one, or the same one changed, at the next choice.
    """

    def choose(self, options: Sequence[Option]) -> int: ...


class Passing(NamedTuple):
    """The option that time passes although something could run."""

    name: str = "time"
    at: str = ""
    stop: int = 0
    done: bool = False


class Fault(NamedTuple):
    """The option that something goes wrong; ``at`` is what it hits."""

    name: str
    at: str
    stop: int = 0
    done: bool = False


FAULT_PREFIX: Final = "fault "  # the fault's own name follows
PASSING: Final = Passing()
NO_FAULT: Final = Fault("no fault", "")


class ScheduleDiverged(Exception):
    """A replayed schedule met other options than it recorded: the code under it has changed.

    ``step`` is the index of the choice that no longer fits.
    """

    def __init__(self, step: int, what: str) -> None:
        super().__init__(f"step {step}: {what}")
        self.step = step


class SplitMix64:
    """A 64-bit generator of one word of state."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next_u64(self) -> int:
        """The next 64-bit number."""
        return self.below(1 << 64)

    def below(self, bound: int) -> int:
        """A number in [0, bound), by multiply-shift; the bias is below 2**-32 for small bounds.

        Nearly all draws are such, so this is where the next number is mixed.
        """
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) * bound) >> 64


# A run of one device has some 200 to 1,000 choices, and may be late twice: with one chance in 128
# the latenesses fall anywhere in it. A kind of fault is asked about some 20 to 50 times a run.
ONE_LATE_IN: Final = 128
ONE_FAULT_IN: Final = 32


class RandomChooser:
    """Every runnable option equally likely; that time passes or something fails, seldom.

    For when nothing is known of the scenario yet; :mod:`sim.explore.random` knows how often.
    """

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        self._random = SplitMix64(seed)

    def choose(self, options: Sequence[Option]) -> int:
        runnable = len(options)
        if options[0] is NO_FAULT:
            return int(self._random.below(ONE_FAULT_IN) == 0)
        if options[-1] is PASSING:
            runnable -= 1
            if self._random.below(ONE_LATE_IN) == 0:
                return runnable
        return self._random.below(runnable) if runnable > 1 else 0


class Choice(msgspec.Struct, frozen=True, array_like=True):
    """One choice made: the index, and the option that was there."""

    index: int
    name: str
    at: str

    def fits(self, options: Sequence[Option]) -> bool:
        """Whether the option of this index is the one that was chosen."""
        if self.index >= len(options):
            return False
        option = options[self.index]
        return option.name == self.name and option.at == self.at


class ReplayChooser:
    """Plays recorded choices again; beyond their end, natural order.

    Options are known by index, name and place, and all three must agree: else the code has changed.
    """

    __slots__ = ("_choices", "_step")

    def __init__(self, choices: Sequence[Choice]) -> None:
        self._choices = choices
        self._step = 0

    def choose(self, options: Sequence[Option]) -> int:
        if self._step == len(self._choices):
            return 0
        choice = self._choices[self._step]
        if not choice.fits(options):
            there = ", ".join(f"{option.name!r} at {option.at!r}" for option in options)
            raise ScheduleDiverged(
                self._step,
                f"option {choice.index} is not {choice.name!r} at {choice.at!r} among {there}",
            )
        self._step += 1
        return choice.index


class DecisionChooser:
    """Plays bare indices again, in the same world; beyond their end, natural order."""

    __slots__ = ("_decisions", "_step")

    def __init__(self, decisions: Sequence[int]) -> None:
        self._decisions = decisions
        self._step = 0

    def choose(self, options: Sequence[Option]) -> int:
        if self._step == len(self._decisions):
            return 0
        index = self._decisions[self._step]
        if index >= len(options):
            raise ScheduleDiverged(self._step, f"there is no option {index} among {len(options)}")
        self._step += 1
        return index


class RecordingChooser:
    """Asks another chooser and remembers what it chose: the indices, and on demand the names."""

    __slots__ = ("_inner", "_names", "choices", "decisions")

    def __init__(self, inner: Chooser, *, names: bool = False) -> None:
        self._inner = inner
        self._names = names
        self.decisions: list[int] = []
        self.choices: list[Choice] = []

    def choose(self, options: Sequence[Option]) -> int:
        index = self._inner.choose(options)
        self.decisions.append(index)
        if self._names:
            option = options[index]
            self.choices.append(Choice(index, option.name, option.at))
        return index
