# SPDX-License-Identifier: MIT
"""What was found becomes a file with a name of its own and a command to paste."""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from sim.campaign import Found
from sim.keeping import Kept, as_found, explaining, file_name, shortened, written
from sim.player import Player
from sim.schedule import read_schedule
from sim.source_hashes import source_hashes
from tests.sim.orders import LEAKING, Drawn


def leak(seed: int = 1) -> Kept:
    plan = Drawn(seed)
    return as_found(LEAKING, Found(9, plan, Player(LEAKING)(plan)), seed=3)


def test_what_was_found_is_kept_with_all_it_takes_to_play_it_again() -> None:
    schedule = leak().schedule
    assert (schedule.scenario, schedule.seed, schedule.setup) == ("eject-idle", 3, LEAKING)
    assert schedule.violation.kind == "leak"
    assert schedule.against == source_hashes()
    assert schedule.choices
    assert not schedule.in_words


def test_a_file_is_written_into_a_folder_that_is_made(tmp_path: Path) -> None:
    ours = written(leak(), tmp_path / "a" / "b")
    assert ours.file is not None
    assert read_schedule(Path(ours.file)) == ours.schedule
    assert ours.replay == f"vpcisim replay {ours.file}"


def test_the_same_schedule_has_the_same_name_and_others_have_others() -> None:
    assert file_name(leak().schedule) == file_name(leak().schedule)
    assert file_name(leak(1).schedule) != file_name(leak(2).schedule)
    assert file_name(leak().schedule).startswith("eject-idle-leak-")


def test_the_command_to_paste_survives_a_shell_and_names_the_laws(tmp_path: Path) -> None:
    ours = written(leak(), tmp_path / "my schedules")
    setup = msgspec.structs.replace(ours.schedule.setup, laws=("my law.py",))
    ours = msgspec.structs.replace(
        ours, schedule=msgspec.structs.replace(ours.schedule, setup=setup)
    )
    assert ours.replay is not None
    assert shlex.split(ours.replay) == ["vpcisim", "replay", ours.file, "--law", "my law.py"]


def test_a_file_that_cannot_be_written_is_told_and_loses_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    ours = written(leak(), blocked)
    assert ours.file is None
    assert ours.replay is None
    assert ours.unwritten is not None
    assert str(blocked) in ours.unwritten
    assert ours.schedule == leak().schedule


def test_a_schedule_is_made_short_and_put_into_words() -> None:
    plan = Drawn(1)
    found = Found(9, plan, Player(LEAKING)(plan))
    short = shortened(LEAKING, found, seed=3).schedule
    assert short.in_words
    assert (short.delays, short.faults) == ((), ())  # it leaks in natural order, too
    assert short.violation.kind == "leak"
    assert len(short.setup.text) < len(LEAKING.text)


def test_an_explanation_is_of_the_schedule_that_is_kept() -> None:
    explanation = explaining(leak()).explanation
    assert explanation is not None
    assert explanation.inevitable == 0  # in this setup any order leaks
    assert explanation.curve[-1].choices == len(leak().schedule.choices)
