# SPDX-License-Identifier: MIT
"""The schedule file: one failing run, with everything that is needed to play it again.

Versioned JSON with a line for each key, and for each item of a list, so that people can read it and
two can be compared. Knows how a file is written and read; playing it is for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from sim.choices import Choice
from sim.explore.delays import Delay, FaultAt
from sim.explore.named import Named
from sim.files import whole_file
from sim.setup import Setup
from sim.violation import Violation

FORMAT: Final = "vpcisim schedule 1"
BODY_FORMAT: Final = "vpcisim test schedule 1"
# What to do with a file that is of another form than the one that was wanted.
OTHERS: Final[Mapping[str, str]] = {
    FORMAT: "it is a scenario's: play it with vpcisim replay",
    BODY_FORMAT: "it is a test's: play it with pytest --vpci-replay",
}
FILE_BYTES_MAX: Final = 256 << 20  # a run of a million choices has about 60 MiB


class ScheduleError(Exception):
    """A schedule file that cannot be used; one line: file, reason, remedy."""


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failing order of whatever was played.

    ``violation`` is what it ends in. ``delays`` and ``faults`` are the order in words, unless it
    could not be put into words (``in_words``); ``passing_twin`` differs in one of them and passes;
    ``choices`` are the same order move by move, ``choices_made`` of them, by which a file that was
    cut is known. ``seed`` is the campaign's. ``against`` holds the hashes of what it ran against
    (:mod:`sim.source_hashes`).
    """

    violation: Violation
    delays: tuple[Delay, ...] = ()
    faults: tuple[FaultAt, ...] = ()
    in_words: bool = True
    passing_twin: Named | None = None
    seed: int = 0
    against: Mapping[str, str]
    choices_made: int
    choices: tuple[Choice, ...]

    @property
    def story(self) -> str:
        """What was played, as a file is named after it."""
        raise NotImplementedError


class Schedule(Order, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A failing run of a setup. ``scenario`` is the name of its story."""

    form: str = msgspec.field(name="format", default=FORMAT)
    scenario: str
    setup: Setup

    @property
    def story(self) -> str:
        return self.scenario


AnOrder = TypeVar("AnOrder", bound=Order)
_OF_ORDERS: Final = Order.__struct_fields__


class _Head(msgspec.Struct):
    """What every version of the file begins with."""

    form: str = msgspec.field(name="format")


def write_schedule(path: Path, schedule: Order) -> None:
    """Write the file; it appears when it is whole. Raises OSError."""
    with whole_file(path) as file:
        file.write(schedule_text(schedule).encode())


def schedule_text(schedule: Order) -> str:
    """What stands in a schedule's file: what was played, then its order."""
    fields = msgspec.structs.fields(schedule)
    fields = (*fields[len(_OF_ORDERS) :], *fields[: len(_OF_ORDERS)])
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
    return read_order(path, Schedule, form=FORMAT, command="vpcisim explore")


def read_order(path: Path, kind: type[AnOrder], *, form: str, command: str) -> AnOrder:
    """Read a file of that kind and form, which the command writes. Raises ScheduleError."""
    data = _read(path)
    try:
        found = msgspec.json.decode(data, type=_Head).form
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = ""
    if found != form:
        other = OTHERS.get(found, f"write one with {command}")
        raise ScheduleError(f"{path}: is no {form!r}; {other}")
    try:
        order = msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ScheduleError(f"{path}: {error}; write it again with {command}") from None
    left, made = len(order.choices), order.choices_made
    if left != made:
        told = f"`choices` holds {left} where {made} were made"
        raise ScheduleError(f"{path}: {told}; write it again with {command}")
    return order


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ScheduleError(f"{path}: cannot be read: {error.strerror}; check the path") from None
    if len(data) > FILE_BYTES_MAX:
        raise ScheduleError(f"{path}: has more than {FILE_BYTES_MAX} bytes; explore again")
    return data
