# SPDX-License-Identifier: MIT
"""``vpcisim explore`` and ``vpcisim replay`` as people and programs meet them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from sim.cli import BAD_INPUT, FOUND, INTERRUPTED, OK, main
from tests.house.sources import ROOT

MAIN = "import sys; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
FAILS = ("eject-idle", "--defect", "eject-ref-leak")  # in any order
MANY = ("--schedules", "1000000")
FEW = ("--schedules", "20", "--strategy", "random")
VIOLATION = {"kind", "law", "message", "context", "at_ns", "stacks"}
DOCUMENT = {
    *("scenario", "driver", "defects", "strategies", "schedules", "distinct_traces"),
    *("schedules_per_second", "determinism_checks", "exhausted", "bound95", "violations", "known"),
}
FOUND_KEYS = {
    *("found_at_schedule", "schedule_file", "decisions", "delays", "faults", "late"),
    *("passing_twin", "replay"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: schedules are written there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line on standard error of a command that refuses its input."""
    assert main(arguments) == BAD_INPUT
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err.strip()


def document(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> dict[str, Any]:
    """What a command prints with --json."""
    assert main([*arguments, "--json"]) == status
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def schedule(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A schedule file that explore has written."""
    folder = tmp_path_factory.mktemp("saved")
    assert main(["explore", *FAILS, *FEW, "--save", str(folder)]) == FOUND
    (file,) = folder.iterdir()
    return str(file)


# --- explore ---


def test_exploring_as_json_has_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    found = document(capsys, FOUND, "explore", *FAILS, *FEW)
    assert found.keys() >= DOCUMENT
    assert (found["scenario"], found["driver"]) == ("eject-idle", "model")
    assert found["defects"] == ["eject-ref-leak"]
    assert found["strategies"] == [{"name": "random", "schedules": 20, "hits": 20}]
    assert found["schedules"] == 20
    assert 0 < found["distinct_traces"] <= 20
    assert found["determinism_checks"] == 1
    assert found["bound95"] is None
    (violation,) = found["violations"]
    assert violation.keys() >= VIOLATION | FOUND_KEYS
    assert violation["kind"] == "leak"
    assert violation["found_at_schedule"] == 1
    assert violation["replay"] == f"vpcisim replay {violation['schedule_file']}"


def test_nothing_found_is_exit_status_zero_with_its_closing_statement(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", "eject-idle", *FEW]) == OK
    text = capsys.readouterr().out
    assert "20 schedules, " in text
    assert "below 15% of schedules like these fail, with 95 % confidence" in text
    assert text.splitlines()[-1] == "verdict  clean"
    assert list(folder.iterdir()) == []


def test_what_is_found_is_reported_with_the_command_that_shows_it_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explore", *FAILS, *FEW]) == FOUND
    text = capsys.readouterr().out
    (file,) = (folder / "vpcisim-schedules").iterdir()
    assert "BUG: memory leak" in text
    assert f"replay   vpcisim replay vpcisim-schedules/{file.name}\n" in text
    assert text.splitlines()[-1] == "verdict  violation"


def test_open_items_that_show_are_known_and_no_violation(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = document(capsys, OK, "explore", "rescind-without-eject", *FEW)
    assert (found["known"], found["violations"]) == (["O9"], [])


def test_the_same_seed_finds_the_same_and_another_seed_plays_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def explored(*more: str) -> dict[str, Any]:
        found = document(capsys, FOUND, "explore", *FAILS, *FEW, *more)
        return {**found, "schedules_per_second": 0}

    first = explored("--jobs", "1")
    assert explored("--jobs", "2", "--seed", "0") == first
    assert explored("--seed", "1") != first


def test_names_that_are_wrong_list_the_valid_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert ", arrival, " in told(capsys, "explore", "arival")
    assert "eject-ref-leak" in told(capsys, "explore", "arrival", "--defect", "mine")
    assert "there are allocation-failure" in told(capsys, "explore", "arrival", "--fault", "mine")
    assert "there are portfolio, random" in told(capsys, "explore", "arrival", "--strategy", "mine")
    assert "there are hyperv" in told(capsys, "explore", "arrival", "--profile", "mine")
    assert "the openvmm profile never ejects" in told(
        capsys, "explore", "eject-idle", "--profile", "openvmm"
    )


def test_old_bugs_in_one_function_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    both = ("--defect", "compose-sleeps", "--defect", "compose-hang-tasklet-starved")
    assert told(capsys, "explore", "arrival", *both).endswith(
        "both override await_answer(); leave one out"
    )


def test_a_place_where_nothing_can_be_saved_is_refused_before_anything_is_played(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "file").touch()
    assert "--save file: no file can be made there" in told(
        capsys, "explore", "arrival", "--save", "file", "--schedules", "1000000000"
    )


def test_a_device_file_and_a_version_are_part_of_the_schedule(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document(capsys, OK, "run", "arrival", "--trace", "a.jsonl")
    assert main(["lspci", "arrival"]) == OK
    (folder / "seen.txt").write_text(capsys.readouterr().out)
    options = ("--device", "seen.txt", "--protocol", "1.2", *FEW)
    (violation,) = document(capsys, FOUND, "explore", *FAILS, *options)["violations"]
    (folder / "seen.txt").unlink()
    replay = document(capsys, FOUND, "replay", violation["schedule_file"])
    assert replay["protocol"] == "1.2"


def law(name: str, body: str) -> str:
    """A file of one law that looks at each driver that binds."""
    Path("mine.py").write_text(
        LAW.format(name=name, body=textwrap.indent(textwrap.dedent(body), " " * 8))
    )
    return "mine.py"


LAW = """
import multiprocessing, os, signal
from pathlib import Path
from guest.pci_core.events import DriverBound

SEEN = []

class Mine:
    name = {name!r}
    kind = "wrong-value"

    def bound(self, event, at_ns, context):
{body}
    def end(self, at_ns):
        return None

    sees = {{DriverBound: bound}}

LAWS = (Mine,)
"""


def test_laws_of_the_user_judge_and_are_asked_for_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = law("nobody binds", "return 'somebody bound'\n")
    found = document(capsys, FOUND, "explore", "arrival", "--law", mine, *FEW)
    (violation,) = found["violations"]
    assert violation["law"] == "nobody binds"
    assert "add --law mine.py" in told(capsys, "replay", violation["schedule_file"])
    assert document(capsys, FOUND, *violation["replay"].split()[1:])["mode"] == "exact"


def test_a_worker_that_is_killed_costs_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = law(
        "no process is killed",
        """
        if multiprocessing.parent_process() and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        """,
    )
    found = document(capsys, FOUND, "explore", *FAILS, "--law", mine, *FEW, "--jobs", "2")
    assert (folder / "killed").exists()
    assert (found["schedules"], found["lost"]) == (20, 0)
    assert [violation["kind"] for violation in found["violations"]] == ["leak"]


def test_a_schedule_that_comes_out_in_two_ways_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = law(
        "ten may bind",
        """
        SEEN.append(event)
        return "one too many" if len(SEEN) > 10 else None
        """,
    )
    line = told(capsys, "explore", "arrival", "--law", mine, *FEW)
    assert "schedule 1 (random), played twice, came out with another verdict" in line
    assert line.endswith("the lab, or a law of yours, is not deterministic")


@pytest.mark.parametrize(
    ("jobs", "only_once"),
    # Which worker plays which schedule is a matter of time, so there the law goes by the process.
    [("1", "len(SEEN) == 3"), ("2", "multiprocessing.parent_process()")],
)
def test_a_failure_that_does_not_come_again_is_one_line(
    capsys: pytest.CaptureFixture[str], jobs: str, only_once: str
) -> None:
    mine = law(
        "nothing may bind while we explore",
        f"""
        SEEN.append(event)
        return "it did" if {only_once} else None
        """,
    )
    line = told(capsys, "explore", "arrival", "--law", mine, *FEW, "--jobs", jobs)
    assert re.search(r"schedule \d+ \(random\) failed in a way that did not come again; ", line)


def test_an_explanation_says_when_the_failure_was_inevitable(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (violation,) = document(capsys, FOUND, "explore", *FAILS, *FEW, "--explain")["violations"]
    assert violation["explanation"]["inevitable"] == 0
    assert violation["explanation"]["curve"][0] == {"choices": 0, "failed": 20, "runs": 20}


# Interrupts itself once a second of processor time has gone into starting and exploring.
INTERRUPTED_SOON = (
    "import signal, sys; from sim.cli import main; import sim.exploration;"
    "signal.signal(signal.SIGVTALRM, lambda *_: signal.raise_signal(signal.SIGINT));"
    "signal.setitimer(signal.ITIMER_VIRTUAL, 1.0); sys.exit(main(sys.argv[1:]))"
)


@pytest.mark.parametrize(("arguments", "status"), [(("eject-idle",), INTERRUPTED), (FAILS, FOUND)])
def test_ctrl_c_keeps_what_was_found(arguments: tuple[str, ...], status: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_SOON, "explore", *arguments, *MANY, "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, "")
    found = json.loads(done.stdout)
    assert found["interrupted"]
    assert 0 < found["schedules"] < 1_000_000
    assert all(Path(violation["schedule_file"]).exists() for violation in found["violations"])
    assert bool(found["violations"]) == (status == FOUND)


# --- replay ---


def test_a_replay_as_json_is_a_run_with_its_mode(
    schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = document(capsys, FOUND, "replay", schedule)
    run = document(capsys, OK, "run", "eject-idle")
    assert replay.keys() >= {*run, "mode", "diverged_at"}
    assert (replay["mode"], replay["diverged_at"]) == ("exact", None)
    assert replay["violation"]["kind"] == "leak"


def test_a_replay_for_people_shows_the_report_and_the_moment(
    schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", schedule]) == FOUND
    text = capsys.readouterr().out
    assert "BUG: memory leak" in text
    assert "<== leak" in text
    assert text.splitlines()[-1] == "mode     exact"


def test_replays_are_byte_identical_in_a_fresh_process(schedule: str, folder: Path) -> None:
    runs = [
        python("replay", schedule, "--json", "--trace", f"{seed}.jsonl", PYTHONHASHSEED=seed)
        for seed in ("0", "12345")
    ]
    assert [run.returncode for run in runs] == [FOUND, FOUND]
    assert runs[0].stdout == runs[1].stdout
    assert (folder / "0.jsonl").read_bytes() == (folder / "12345.jsonl").read_bytes()


def test_what_is_no_schedule_is_one_line(
    folder: Path, schedule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "absent.json: cannot be read" in told(capsys, "replay", "absent.json")
    (folder / "mine.json").write_text("{}")
    assert "mine.json: is no 'vpcisim schedule 1'" in told(capsys, "replay", "mine.json")
    text = Path(schedule).read_text()
    for known, gone, says in (
        ('"eject-ref-leak"', '"nothing-of-ours"', "there is no defect 'nothing-of-ours' any more"),
        ("[[device]]", "[[divice]]", "eject-idle: divice: unknown key"),
        (
            '["eject-ref-leak"]',
            '["compose-sleeps","compose-hang-tasklet-starved"]',
            "compose-sleeps and compose-hang-tasklet-starved both",
        ),
        ('"faults":[]', '"faults":["flood"]', "there is no fault 'flood' any more; there are"),
        ('"driver":"model"', '"driver":"mine"', "there is no driver 'mine' any more; there are"),
        ('"protocol":null', '"protocol":"0.9"', "there is no protocol '0.9' any more; there are 1"),
        ('"profile":null', '"profile":"xen"', "there is no profile 'xen' any more; there are hyp"),
        ('"device":null', '"device":"gone"', "there is no device 'gone' any more; there are none"),
    ):
        (folder / "mine.json").write_text(text.replace(known, gone))
        assert f"mine.json: {says}" in told(capsys, "replay", "mine.json")
