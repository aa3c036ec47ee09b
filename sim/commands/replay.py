# SPDX-License-Identifier: MIT
"""``vpcisim replay FILE``: a schedule's run once more, its violation and the moment of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer
from msgspec.structs import replace

from sim.cli import FOUND, OK
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json
from sim.commands.playing import Laws, one_line
from sim.commands.run import as_document, summary, write
from sim.report.lanes import encodable
from sim.scenario_grammar import DRIVERS, PROFILES, PROTOCOLS

if TYPE_CHECKING:
    from sim.replay import Played, Replay
    from sim.schedule import Schedule
    from sim.setup import Setup

HOW: Final = ("mode", "diverged_at", "changed", "unmet")  # it was played, for --json


def application() -> typer.Typer:
    return calling.application(replay_schedule)


def replay_schedule(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Written by vpcisim explore.")],
    law: Laws = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every event here, as JSON lines.")
    ] = None,
    gdb: Annotated[
        bool, typer.Option("--gdb", help="In gdb, stopped where the real driver goes wrong.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Play a schedule again and show what it ends in.

    Exactly as it was, choice by choice; if the code has changed, by its named delays. Exit status
    1 with a violation, 0 without one, 2 if a delay no longer applies.

    Example: vpcisim replay vpcisim-schedules/eject-idle-leak-00ff00ff.json
    """
    schedule = _read(file, law or [])
    if gdb:
        _debug(file, schedule)
    replay = _replayed(file, schedule)
    result = replay.played.result
    if trace is not None:
        write(trace, result)
    if as_json:
        how = {name: getattr(replay, name) for name in HOW}
        print_json({**as_document(result), **how, "unplayed": replay.played.unplayed})
    else:
        for line in _lines(schedule, replay):
            print(encodable(line, sys.stdout.encoding))
    return FOUND if result.violation else OK


def _debug(file: Path, schedule: Schedule) -> NoReturn:
    """Raises InputError for what has no place in C code."""
    if schedule.setup.driver != "kernel":
        raise InputError(f"{file}: --gdb is for schedules of the real driver (--driver kernel)")
    from sim.commands.debugging import debug  # a compiler's matters

    debug(file)


def _read(file: Path, laws: list[Path]) -> Schedule:
    """The schedule with the laws that are given; those of a file are code, and not run unasked."""
    from sim.schedule import ScheduleError, read_schedule  # brings both sides and the engine

    try:
        schedule = read_schedule(file)
    except ScheduleError as error:
        raise InputError(str(error)) from None
    wanted = schedule.setup.laws
    if wanted and not laws:
        options = " ".join(f"--law {law}" for law in wanted)
        raise InputError(f"{file}: was judged by laws of your own; add {options}")
    return replace(schedule, setup=replace(schedule.setup, laws=tuple(map(str, laws))))


def _replayed(file: Path, schedule: Schedule) -> Replay[Played]:
    from guest.defects.record import DefectsClash
    from sim.replay import CannotReplay, replayed
    from sim.scenario import ScenarioError

    _check_names(file, schedule.setup)
    try:
        with one_line(schedule.setup.scenario()):
            return replayed(schedule)
    except (CannotReplay, DefectsClash, ScenarioError) as error:
        raise InputError(f"{file}: {error}") from None


def _check_names(file: Path, setup: Setup) -> None:
    """Refuse what this version does not know by the name that the file has for it."""
    from guest.defects.catalogue import CATALOGUE
    from sim.faults import FAULTS

    captures = tuple(name for name, _ in setup.captures)
    for what, names, valid in (
        ("defect", setup.defects, tuple(CATALOGUE)),
        ("fault", setup.faults, tuple(FAULTS)),
        ("driver", (setup.driver,), DRIVERS),
        ("protocol", (setup.protocol,), (None, *PROTOCOLS)),
        ("profile", (setup.profile,), (None, *PROFILES)),
        ("device", (setup.device,), (None, *captures)),
    ):
        for name in names:
            if name not in valid:
                told = f"{file}: there is no {what} {name!r} any more"
                raise InputError(f"{told}; there are {', '.join(filter(None, valid)) or 'none'}")


def _lines(schedule: Schedule, replay: Replay[Played]) -> Iterator[str]:
    from sim.report.exploration import mode_line, schedule_lines, unmet_lines
    from sim.report.moment import moment_lines
    from sim.report.violation import report_lines

    result = replay.played.result
    if result.violation is not None:
        yield from report_lines(result.violation)
        yield from moment_lines(result.trace, result.violation)
        yield ""
    yield from summary(result)
    yield from schedule_lines(schedule)
    yield from unmet_lines(schedule, replay.unmet)
    yield mode_line(replay)
