# SPDX-License-Identifier: MIT
"""The schedule file: one failing run, with everything that is needed to play it again.

Versioned JSON with a line for each key, and for each item of a list, so that people can read it and
two can be compared. Knows how a file is written and read; playing it is for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from sim.choices import Choice
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import Named
from sim.files import whole_file
from sim.setup import Setup
from sim.violation import Violation

FORMAT: Final = "vpcisim schedule 1"
REMEDY: Final = "write it again with vpcisim explore"
FILE_BYTES_MAX: Final = 256 << 20  # a run of a million choices has about 60 MiB


class ScheduleError(Exception):
    """A schedule file that cannot be used; one line: file, reason, remedy."""


class Schedule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failing run.

    ``violation`` is what it ends in and ``scenario`` the name of its story. ``delays`` and
    ``faults`` are the order in words, unless it could not be put into words (``in_words``);
    ``passing_twin`` differs in one of them and passes; ``choices`` are the same order move by move,
    ``choices_made`` of them, by which a file that was cut is known.
    ``seed`` is the campaign's. ``against`` holds the hashes (:mod:`sim.source_hashes`) of what it
    ran against.
    """

    form: str = msgspec.field(name="format", default=FORMAT)
    scenario: str
    violation: Violation
    delays: tuple[Delay, ...] = ()
    faults: tuple[FaultAt, ...] = ()
    in_words: bool = True
    passing_twin: Named | None = None
    seed: int = 0
    setup: Setup
    against: Mapping[str, str]
    choices_made: int
    choices: tuple[Choice, ...]


class _Head(msgspec.Struct):
    """What every version of the file begins with."""

    form: str = msgspec.field(name="format")


def write_schedule(path: Path, schedule: Schedule) -> None:
    """Write the file; it appears when it is whole. Raises OSError."""
    with whole_file(path) as file:
        file.write(schedule_text(schedule).encode())


def schedule_text(schedule: Schedule) -> str:
    """What stands in a schedule's file."""
    fields = msgspec.structs.fields(schedule)
    lines = (f" {_json(f.encode_name)}: {_value(getattr(schedule, f.name))}" for f in fields)
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _value(value: object) -> str:
    if isinstance(value, tuple) and value:
        return "[\n" + ",\n".join(f"  {_json(item)}" for item in value) + "\n ]"
    return _json(value)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def read_schedule(path: Path) -> Schedule:
    """Read a file. Raises ScheduleError, whatever is wrong with it."""
    data = _read(path)
    try:
        form = msgspec.json.decode(data, type=_Head).form
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        form = ""
    if form != FORMAT:
        raise ScheduleError(f"{path}: is no {FORMAT!r}; write one with vpcisim explore")
    try:
        schedule = msgspec.json.decode(data, type=Schedule)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ScheduleError(f"{path}: {error}; {REMEDY}") from None
    left, made = len(schedule.choices), schedule.choices_made
    if left != made:
        raise ScheduleError(f"{path}: `choices` holds {left} where {made} were made; {REMEDY}")
    return schedule


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be read: {error.strerror}; check the path") from None
    if len(data) > FILE_BYTES_MAX:
        raise ScheduleError(f"{path}: has more than {FILE_BYTES_MAX} bytes; explore again")
    return data
