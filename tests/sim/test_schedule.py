# SPDX-License-Identifier: MIT
"""A schedule file holds everything, is written whole and readable, and is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.choices import Choice
from sim.explore.delays import Delay, FaultAt
from sim.schedule import Schedule, ScheduleError, read_schedule, schedule_text, write_schedule
from sim.setup import Setup
from sim.violation import Violation

SCHEDULE = Schedule(
    scenario="arrival",
    violation=Violation("leak", "nothing is lost", "left behind: 1 HvPciDev", "end of run", 7),
    delays=(Delay("hv_pci_probe", "lock state_lock", 2, "idle"),),
    faults=(FaultAt("allocation-failure", "HvDrState", 1),),
    seed=2**64 - 1,
    setup=Setup(text='name = "arrival"\nstory = "…"\n', source="arrival", defects=("planted",)),
    against={"guest": "00ff"},
    choices_made=2,
    choices=(Choice(0, "hv_pci_probe", "start"), Choice(1, "time", "")),
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_schedule(file, SCHEDULE)
    assert read_schedule(file) == SCHEDULE


def test_the_file_is_json_with_a_line_for_each_choice() -> None:
    text = schedule_text(SCHEDULE)
    document = json.loads(text)
    assert document["format"] == "vpcisim schedule 1"
    assert document["choices"] == [[0, "hv_pci_probe", "start"], [1, "time", ""]]
    assert '\n  [1,"time",""]\n' in text
    assert text.startswith('{\n "format": ')


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is no 'vpcisim schedule 1'; write one with vpcisim explore"),
        ("[" * 100_000, "is no 'vpcisim schedule 1'"),
        ('{"format": "vpcisim schedule 2"}', "is no 'vpcisim schedule 1'"),
        ('{"format": "vpcisim schedule 1"}', "missing required field"),
        (schedule_text(SCHEDULE).replace('"seed"', '"sed"'), "unknown field `sed`"),
        (schedule_text(SCHEDULE).replace("[0,", '["0",'), "`$.choices[0][0]`"),
        (
            schedule_text(SCHEDULE).replace('"until":"', '"until":"some day '),
            "is no end of a delay",
        ),
        (schedule_text(SCHEDULE)[:-20], "truncated"),
        (
            schedule_text(SCHEDULE).replace(',\n  [1,"time",""]', ""),
            "`choices` holds 1 where 2 were made; write it again with vpcisim explore",
        ),
    ],
)
def test_what_is_no_schedule_is_refused_in_one_line(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(text)
    with pytest.raises(ScheduleError) as caught:
        read_schedule(file)
    line = str(caught.value)
    assert line.startswith(f"{file}: ")
    assert why in line or (why == "truncated" and "is no" in line)
    assert "\n" not in line


@settings(max_examples=300, derandomize=True, deadline=None)
@given(data=st.data())
def test_no_damage_to_a_schedule_does_more_than_a_line_of_error(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = bytearray(schedule_text(SCHEDULE).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    del text[data.draw(st.integers(0, len(text))) :]
    file = tmp_path_factory.mktemp("schedules") / "a.json"
    file.write_bytes(bytes(text))
    told = ""
    try:
        read_schedule(file)
    except ScheduleError as error:
        told = str(error)
    assert "\n" not in told


def test_a_file_that_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ScheduleError, match=r"absent.json: cannot be read: .*; check the path"):
        read_schedule(tmp_path / "absent.json")


def test_writing_leaves_no_half_file_where_there_is_no_room_for_one(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="absent"):
        write_schedule(tmp_path / "absent" / "a.json", SCHEDULE)
    assert list(tmp_path.iterdir()) == []


def test_every_field_is_in_the_file() -> None:
    document = json.loads(schedule_text(SCHEDULE))
    assert set(document) == {field.encode_name for field in msgspec.structs.fields(Schedule)}
