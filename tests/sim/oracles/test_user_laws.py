# SPDX-License-Identifier: MIT
"""Laws of a user's own: loaded by path, judged with the others, every mistake one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.cli import main
from sim.oracles.user_laws import LawFileError, load_laws

LAW = """
from guest.pci_core.events import DriverBound

class NoDriver:
    name = "nothing binds"
    kind = "warning"
    def bound(self, event, at_ns, context):
        return f"{event.driver} was bound"
    def end(self, at_ns):
        return None
    sees = {DriverBound: bound}

LAWS = (NoDriver,)
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_laws_of_a_file_are_its_laws(tmp_path: Path) -> None:
    (law,) = load_laws(written(tmp_path, LAW))
    assert law().name == "nothing binds"


def test_run_judges_by_a_users_law_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, LAW)
    assert main(["run", "arrival", "--law", str(path)]) == 1
    assert "nvme was bound (nothing binds)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", "has no LAWS"),
        ("LAWS = ()", "has no LAWS"),
        ("def (", "mine.py:1: invalid syntax"),
        ("import nowhere_to_be_found", "ModuleNotFoundError"),
        (
            LAW.replace("def end", "def __init__(self, more):\n        pass\n    def end"),
            "when it was made without arguments",
        ),
        (LAW.replace("def end", "def ends"), "has no end"),
        (LAW.replace('"warning"', '"worry"'), "kind 'worry' is none of use-after-free"),
        (LAW.replace("{DriverBound", "{'driver-bound'"), "no type of event"),
        (LAW.replace(": bound}", ": None}"), "cannot be called"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(LawFileError, match=r"mine\.py") as raised:
        load_laws(written(tmp_path, text))
    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("nowhere.py", "", "is no file"),
        ("laws.toml", "x = 1", "must end in .py"),
        ("slips.py", LAW.replace("event.driver", "event.nobody"), "raised AttributeError"),
    ],
)
def test_the_command_refuses_a_bad_law_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, told: str
) -> None:
    if text:
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert main(["run", "arrival", "--law", str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
