# SPDX-License-Identifier: MIT
"""One test that takes ``vpci``, from its body to its outcome: once, by a schedule, in many orders.

Raises what the body raised in the order that is reported; knows no hook.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from sim.replay import CannotReplay, played_again
from sim.source_hashes import changed
from sim.testing.body import Body
from sim.testing.exploring import Explored, explored
from sim.testing.items import BENCH, ENDING, REPLAY, TOLD, tries_orders, wanted_of
from sim.testing.jobs import SERVER, playing
from sim.testing.refused import Refused
from sim.testing.schedule import BodySchedule
from sim.testing.telling import found_lines, replay_lines
from sim.testing.wanted import Wanted
from sim.workers import WorkersDie

FOLDER: Final = "vpcisim-schedules"  # below pytest's rootdir; explore's own has the same name


def tried(item: pytest.Function, call: Callable[[], object]) -> None:
    """Run the body, which ``call`` calls with its fixtures. Raises Refused, too."""
    if not tries_orders(item):
        call()
        return
    body = Body(call, item.stash[BENCH], item.path)
    schedule = item.config.stash.get(REPLAY, None)
    if schedule is not None:
        _play_again(item, body, schedule)
        return
    server = item.config.stash.get(SERVER, None)
    if server is not None:
        server.serve(body)
        return
    wanted = wanted_of(item)
    assert wanted is not None, "only the marker asks for orders"
    _explore(item, body, wanted)


def _explore(item: pytest.Function, body: Body, wanted: Wanted) -> None:
    """Raises the first failure, or KeyboardInterrupt once it is told."""
    folder = item.config.rootpath / FOLDER
    try:
        at_work = playing(body, item, jobs=wanted.jobs)
        found = explored(body, wanted, at_work, test=item.nodeid, folder=folder)
    except WorkersDie as error:
        raise Refused(str(error)) from None
    if found.kept:
        _tell(item, found, wanted)
    if found.interrupted:
        _tell_at_the_end(item)
        raise KeyboardInterrupt
    if found.kept:
        raise found.kept[0].failure


def _tell(item: pytest.Function, found: Explored, wanted: Wanted) -> None:
    def command(file: Path) -> str:
        """What plays a schedule again, for whoever gave this session's command."""
        here = item.config.invocation_params.dir
        path, _, inside = item.nodeid.partition("::")
        shown = os.path.relpath(item.config.rootpath / path, here)
        return shlex.join(
            ("pytest", f"{shown}::{inside}", "--vpci-replay", os.path.relpath(file, here))
        )

    item.stash[TOLD] = list(found_lines(found.kept, wanted, command))


def _play_again(item: pytest.Function, body: Body, schedule: BodySchedule) -> None:
    """Raises what the body raises."""

    def differ() -> tuple[str, ...]:
        return changed(schedule.against, body.against())

    try:
        replay = played_again(schedule, body.recorded, differ)
    except CannotReplay as error:
        raise Refused(f"{item.nodeid}: {error}") from None
    item.stash[TOLD] = list(replay_lines(replay, schedule))
    if replay.played.failure is not None:
        raise replay.played.failure
    _tell_at_the_end(item)


def _tell_at_the_end(item: pytest.Function) -> None:
    """Whoever is interrupted or passes has no report of its own."""
    lines = item.stash.get(TOLD, None)
    if lines:
        item.config.stash[ENDING].extend((item.nodeid, *lines))
