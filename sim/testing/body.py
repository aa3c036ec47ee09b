# SPDX-License-Identifier: MIT
"""A test's body as something that is played by choosers and judged. Knows no strategy.

It fails by what it raises: Violated is the violation of its world, anything else an assertion of
the test's own. What is no failure of the driver under test (bad use, a skip) passes through.
"""

from __future__ import annotations

import linecache
import traceback
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple
from unittest import SkipTest

import pytest

from sim.choices import Choice, Chooser, RecordingChooser, ScheduleDiverged
from sim.explore.strategy import Plan, RunReport
from sim.fingerprint import BYTES
from sim.player import Ending, reported
from sim.result import Verdict
from sim.setup import against
from sim.source_hashes import file_hash
from sim.testing.fixture import Attempt, Bench
from sim.testing.refused import Refused
from sim.testing.told import Violated
from sim.violation import Violation

ASSERTION: Final = "assertion"  # the kind of what a test found itself
WHO: Final = "the test"  # the context of such


class Recorded(NamedTuple):
    """One attempt with the names of its choices, and what it raised."""

    violation: Violation | None
    choices: tuple[Choice, ...]
    failure: BaseException | None


class Body:
    """One test's body, with its fixtures. ``steps`` are the engines' in all attempts."""

    def __init__(self, call: Callable[[], object], bench: Bench, path: Path) -> None:
        """``path`` is the file that the test stands in."""
        self._call = call
        self._bench = bench
        self._path = path
        self.steps = 0
        self._last = Attempt()

    def __call__(self, chooser: Chooser) -> Violation | None:
        """One attempt; what it ended in."""
        return self._violation(*self.attempted(Attempt(chooser)))

    def report(self, plan: Plan) -> RunReport:
        """One attempt by a plan."""
        return reported(plan, self._ending)

    def recorded(self, chooser: Chooser) -> Recorded:
        """One attempt, told with names and stacks."""
        recorder = RecordingChooser(chooser, names=True)
        attempt, failure = self.attempted(Attempt(recorder, stacks=True))
        return Recorded(self._violation(attempt, failure), tuple(recorder.choices), failure)

    def attempted(self, attempt: Attempt) -> tuple[Attempt, BaseException | None]:
        """Run the body. Raises what is no failure, and ScheduleDiverged."""
        failure: BaseException | None = None
        self._last = self._bench.attempt = attempt
        try:
            self._call()
        except (Refused, ScheduleDiverged, SkipTest, pytest.xfail.Exception):
            raise
        except (Exception, pytest.fail.Exception) as error:
            failure = error
        finally:
            self._bench.attempt = None
        if attempt.diverged is not None:
            raise attempt.diverged
        self.steps += sum(world.engine.steps for world in attempt.worlds)
        return attempt, failure

    def against(self) -> dict[str, str]:
        """What the last attempt was played against, as hashes: the test's file, its worlds' parts.

        Raises OSError for a file that cannot be read.
        """
        hashes = {self._path.name: file_hash(self._path)}
        for setup in dict.fromkeys(self._last.setups):
            hashes |= against(setup)
        return hashes

    def _ending(self, chooser: Chooser) -> Ending:
        before = self.steps
        attempt, failure = self.attempted(Attempt(chooser))
        violation = self._violation(attempt, failure)
        known = sorted({item for run in attempt.runs for item in run.known})
        word = "violation" if violation else "known" if known else "clean"
        return Ending(
            verdict=Verdict(word, violation, tuple(known), ()),
            unplayed=next((run.unplayed for run in attempt.runs if run.unplayed), None),
            fingerprint=_fingerprint(attempt),
            steps=self.steps - before,
        )

    def _violation(self, attempt: Attempt, failure: BaseException | None) -> Violation | None:
        if failure is None:
            return None
        if isinstance(failure, Violated):
            return failure.violation
        line = self._line(failure)
        source = linecache.getline(str(self._path), line).strip()
        return Violation(
            kind=ASSERTION,
            law=f"{self._path.name}:{line}",
            message=f"{type(failure).__name__} at {source!r}",
            context=WHO,
            at_ns=attempt.worlds[-1].engine.now_ns() if attempt.worlds else 0,
        )

    def _line(self, failure: BaseException) -> int:
        """The innermost line of the test's file that was being run."""
        frames = traceback.extract_tb(failure.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(self._path)]
        return (lines and lines[-1]) or 0


def _fingerprint(attempt: Attempt) -> int:
    """One number for all that happened in its worlds, in their order."""
    numbers = [world.fingerprint for world in attempt.worlds]
    if len(numbers) == 1:
        return numbers[0]
    return int.from_bytes(sha256(repr(numbers).encode()).digest()[:BYTES], "little")
