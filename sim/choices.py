# SPDX-License-Identifier: MIT
"""The chooser port and the only randomness of the lab.

A run is its list of choices. Whoever runs contexts asks ``choose(options)`` at every moment that
has more than one option; natural order is index 0. Seeds go through SplitMix64 (Steele, Lea and
Flood, OOPSLA 2014), so that another language draws the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

_MASK = (1 << 64) - 1


class Chooser(Protocol):
    """Decides which option happens next; returns an index into ``options``."""

    def choose(self, options: Sequence[str]) -> int: ...


class ScheduleDiverged(Exception):
    """A replayed schedule met other options than it recorded: the code under it has changed."""


class SplitMix64:
    """A 64-bit generator of one word of state."""

    __slots__ = ("_state",)

    def __init__(self, seed: int) -> None:
        self._state = seed & _MASK

    def next_u64(self) -> int:
        """The next 64-bit number."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, bound: int) -> int:
        """A number in [0, bound), by multiply-shift; the bias is below 2**-32 for small bounds."""
        return (self.next_u64() * bound) >> 64


class RandomChooser:
    """Every option equally likely."""

    __slots__ = ("_random",)

    def __init__(self, seed: int) -> None:
        self._random = SplitMix64(seed)

    def choose(self, options: Sequence[str]) -> int:
        return self._random.below(len(options))


Choice = tuple[int, str]  # the index chosen, and the name of that option


class ReplayChooser:
    """Plays recorded choices again; beyond their end, natural order.

    Names may repeat among the options of one moment, so both index and name must agree.
    """

    __slots__ = ("_at", "_choices")

    def __init__(self, choices: Sequence[Choice]) -> None:
        self._choices = choices
        self._at = 0

    def choose(self, options: Sequence[str]) -> int:
        if self._at == len(self._choices):
            return 0
        index, name = self._choices[self._at]
        if index >= len(options) or options[index] != name:
            raise ScheduleDiverged(
                f"step {self._at}: option {index} is not {name!r} among {list(options)!r}"
            )
        self._at += 1
        return index


class RecordingChooser:
    """Asks another chooser and remembers what it chose."""

    __slots__ = ("_inner", "choices")

    def __init__(self, inner: Chooser) -> None:
        self._inner = inner
        self.choices: list[Choice] = []

    def choose(self, options: Sequence[str]) -> int:
        index = self._inner.choose(options)
        self.choices.append((index, options[index]))
        return index
