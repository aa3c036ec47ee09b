# SPDX-License-Identifier: MIT
"""Plays named schedules to see whether they still fail in the same way, a bounded number of times.

Knows no world: whoever asks brings what plays a chooser to its verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from sim.choices import Choice, Chooser, Option, RecordingChooser
from sim.distinct import mistake_of
from sim.explore.ddmin import minimised
from sim.explore.delays import Delay
from sim.explore.named import Named
from sim.explore.profile import Profile, Profiler
from sim.labels import title_of
from sim.violation import Violation

Play: TypeAlias = Callable[[Chooser], Violation | None]


class ProfiledRun(NamedTuple):
    """One run in all its choices."""

    violation: Violation | None
    profile: Profile
    choices: tuple[Choice, ...]


def profiled(play: Play, chooser: Chooser) -> ProfiledRun:
    """Play once and keep what was chosen among what."""
    recorder = RecordingChooser(chooser, names=True)
    profiler = Profiler(recorder)
    violation = play(profiler)
    return ProfiledRun(violation, profiler.profile(), tuple(recorder.choices))


class Outcome(NamedTuple):
    """What came of a named schedule; ``idle`` are the delays that did not do what they say."""

    violation: Violation | None
    idle: tuple[Delay, ...]


class Trials:
    """Says of schedules whether they fail as ``wanted`` did; each is played once.

    After ``most`` runs nothing fails any more, and nothing passes: who makes something smaller
    stops with what they have. ``made`` counts the runs, ``culprit`` is the title of the context in
    which the violation was found.
    """

    def __init__(self, play: Play, wanted: Violation, most: int) -> None:
        self.play = play
        self.wanted = mistake_of(wanted)
        self.culprit = title_of(wanted.context)
        self.most = most
        self.made = 0
        self._known: dict[Named, Outcome] = {}

    def fails(self, schedule: Named) -> bool:
        """Whether it ends in the same violation."""
        outcome = self._outcome(schedule)
        if outcome is None or outcome.violation is None:
            return False
        return mistake_of(outcome.violation) == self.wanted

    def passes(self, schedule: Named) -> bool:
        """Whether it ends in no violation at all."""
        outcome = self._outcome(schedule)
        return outcome is not None and outcome.violation is None

    def keeps_word(self, schedule: Named, delay: Delay) -> bool:
        """Whether the delay ended as it says, in a schedule that was played."""
        return delay not in self._known[schedule].idle

    def _outcome(self, schedule: Named) -> Outcome | None:
        """What comes of it; None if it was not played and may not be any more."""
        if schedule not in self._known and self.made < self.most:
            self.made += 1
            chooser = schedule.chooser()
            violation = self.play(chooser)
            self._known[schedule] = Outcome(violation, (*chooser.unapplied, *chooser.unmet))
        return self._known.get(schedule)

    def fails_by(self, decisions: Sequence[int]) -> bool:
        """Whether a run by these indices ends in the same violation; kept for nobody."""
        if self.made >= self.most:
            return False
        self.made += 1
        found = self.play(_Tolerant(decisions))
        return found is not None and mistake_of(found) == self.wanted


class _Tolerant:
    """Plays indices as far as they go; natural order where there is no such option, and after."""

    def __init__(self, decisions: Sequence[int]) -> None:
        self._decisions = iter(decisions)

    def choose(self, options: Sequence[Option]) -> int:
        index = next(self._decisions, 0)
        return index if index < len(options) else 0


def simpler(trials: Trials, run: ProfiledRun) -> ProfiledRun:
    """A run that fails alike with fewer choices out of natural order: not few, but soon found."""
    indices = [choice.index for choice in run.choices]
    departures = [at for at, index in enumerate(indices) if index]

    def only(kept: Sequence[int]) -> list[int]:
        chosen = set(kept)
        return [index if at in chosen else 0 for at, index in enumerate(indices)]

    kept = minimised(departures, lambda some: trials.fails_by(only(some)))
    return profiled(trials.play, _Tolerant(only(kept)))
