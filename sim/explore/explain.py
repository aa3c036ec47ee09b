# SPDX-License-Identifier: MIT
"""Where a failure became inevitable: how likely it is after each prefix of a failing schedule.

The first choices of the schedule are played, the rest is random; how many of some such runs fail
is the chance of failure after that prefix. Antithesis asks the same of its recordings. Knows no
world: whoever asks says what it is to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from sim.choices import Choice, Chooser, DecisionChooser, Option, RandomChooser, SplitMix64

PREFIXES: Final = 20  # points of the curve; a terminal shows that many lines at once
COMPLETIONS: Final = 20  # random runs for each: one more or less is 5 %, below what is read off
BISECTIONS_MAX: Final = 10  # between two points of the curve of a million choices would take 16


class Chance(msgspec.Struct, frozen=True):
    """After the first ``choices`` choices, ``failed`` of ``runs`` random completions failed."""

    choices: int
    failed: int
    runs: int

    @property
    def share(self) -> float:
        return self.failed / self.runs


class Explanation(msgspec.Struct, frozen=True):
    """``curve`` in rising order of choices. ``inevitable`` is how many choices it takes from which
    on every completion failed, ``choice`` the last of them; None where chance never ended.
    """

    curve: tuple[Chance, ...]
    inevitable: int | None
    choice: Choice | None


class PrefixChooser:
    """Plays the first choices of a schedule, then asks another chooser."""

    __slots__ = ("_left", "_prefix", "_then")

    def __init__(self, decisions: Sequence[int], then: Chooser) -> None:
        self._prefix = DecisionChooser(decisions)
        self._left = len(decisions)
        self._then = then

    def choose(self, options: Sequence[Option]) -> int:
        if self._left == 0:
            return self._then.choose(options)
        self._left -= 1
        return self._prefix.choose(options)


def explained(
    fails: Callable[[Chooser], bool], choices: Sequence[Choice], *, seed: int
) -> Explanation:
    """The curve over a failing schedule; at most 620 runs.

    ``choices`` are all that the failing run made. The same seed gives the same curve.
    """
    decisions = [choice.index for choice in choices]
    chances = _Completions(fails, decisions, SplitMix64(seed))
    last = len(decisions)
    for step in range(PREFIXES + 1):
        chances.chance(last * step // PREFIXES)
    inevitable = _first_certain(chances)
    return Explanation(
        curve=chances.curve(),
        inevitable=inevitable,
        choice=choices[inevitable - 1] if inevitable else None,
    )


class _Completions:
    """Plays completions of prefixes, each prefix once."""

    def __init__(
        self, fails: Callable[[Chooser], bool], decisions: Sequence[int], seeds: SplitMix64
    ) -> None:
        self._fails = fails
        self._decisions = decisions
        self._seeds = seeds
        self._found: dict[int, Chance] = {}

    def chance(self, choices: int) -> Chance:
        """The chance after that many choices."""
        known = self._found.get(choices)
        if known is not None:
            return known
        prefix = self._decisions[:choices]
        failed = sum(
            self._fails(PrefixChooser(prefix, RandomChooser(self._seeds.next_u64())))
            for _ in range(COMPLETIONS)
        )
        self._found[choices] = found = Chance(choices, failed, COMPLETIONS)
        return found

    def curve(self) -> tuple[Chance, ...]:
        """What is known so far, in rising order."""
        return tuple(self._found[choices] for choices in sorted(self._found))


def _first_certain(chances: _Completions) -> int | None:
    """How many choices it takes until every known longer prefix fails for certain."""
    uncertain, certain = -1, None
    for chance in reversed(chances.curve()):
        if chance.failed < chance.runs:
            uncertain = chance.choices
            break
        certain = chance.choices
    if certain is None:
        return None
    for _ in range(BISECTIONS_MAX):
        if certain - uncertain <= 1:
            break
        middle = (certain + uncertain) // 2
        chance = chances.chance(middle)
        certain, uncertain = (middle, uncertain) if chance.share == 1 else (certain, middle)
    return certain
