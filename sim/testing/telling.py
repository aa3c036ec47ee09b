# SPDX-License-Identifier: MIT
"""What a failing test's report says of the order: lines that stand below pytest's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sim.replay import Replay
from sim.report.exploration import mode_line, schedule_lines, unmet_lines
from sim.report.violation import headline
from sim.testing.body import ASSERTION, Recorded
from sim.testing.exploring import Kept
from sim.testing.schedule import BodySchedule
from sim.testing.wanted import Wanted

Command = Callable[[Path], str]  # by which that file is played again


def found_lines(kept: Sequence[Kept], wanted: Wanted, command: Command) -> Iterator[str]:
    """The order in which the test failed, how to see it again, and what else was found."""
    first, *others = kept
    yield f"found    {_where(first, wanted)}"
    yield from schedule_lines(first.schedule)
    yield _replay(first, command)
    for other in others:
        yield f"also     {_what(other)}"
        yield _replay(other, command)


def replay_lines(replay: Replay[Recorded], schedule: BodySchedule) -> Iterator[str]:
    """The order that was played again, and how."""
    yield from schedule_lines(schedule)
    yield from unmet_lines(schedule, replay.unmet)
    yield mode_line(replay)


def _where(kept: Kept, wanted: Wanted) -> str:
    found = kept.found
    if found is None:
        return f"before any of {wanted.schedules:,} schedules, with seed {wanted.seed}"
    of = f"{found.number:,} of {wanted.schedules:,}"
    return f"at schedule {of}, by {found.plan.strategy}, with seed {wanted.seed}"


def _replay(kept: Kept, command: Command) -> str:
    return f"unsaved  {kept.unwritten}" if kept.file is None else f"replay   {command(kept.file)}"


def _what(kept: Kept) -> str:
    violation = kept.schedule.violation
    if violation.kind == ASSERTION:
        return f"{violation.law}: {violation.message}"
    return headline(violation)
