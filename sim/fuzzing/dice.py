# SPDX-License-Identifier: MIT
"""Where a fuzzed life takes its numbers from: a seed, or the bytes that a fuzzing engine makes up.

Knows no packet. Both give the same numbers for the same beginning, so that a life can be had again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from sim.choices import SplitMix64

T = TypeVar("T")
BYTES_A_NUMBER = 2  # what a number takes of the bytes; bounds here are small


class Dice(Protocol):
    """Numbers, one after the other."""

    def below(self, bound: int) -> int:
        """A number in [0, bound)."""


def seeded(seed: int, life: int) -> Dice:
    """The numbers of one life of a campaign; each life has its own."""
    return SplitMix64(seed << 32 | life)


class BytesDice:
    """Numbers read off ``data``; zeroes when it is used up."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, bound: int) -> int:
        """The next bytes as a number, modulo ``bound``; large bounds take more of them."""
        if bound == 1:
            return 0
        size = max(BYTES_A_NUMBER, (bound.bit_length() + 7) // 8)
        self._at += size
        return int.from_bytes(self._data[self._at - size : self._at], "little") % bound


def pick(dice: Dice, among: Sequence[T]) -> T:
    """One of them, each as likely."""
    return among[dice.below(len(among))]
