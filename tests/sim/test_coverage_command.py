# SPDX-License-Identifier: MIT
"""``explore --coverage``: a page, two lines, a key of the document, and no other schedules."""

import json
from pathlib import Path

import pytest

from guest.native.errors import BuildError
from sim.cli import BAD_INPUT, OK, main
from sim.commands.covering import counting
from tests.kernel_trees import tree_of

EXPLORE = ("explore", "arrival", "--schedules", "2")


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, ...]:
    """The command for the real driver, in a folder that is empty."""
    monkeypatch.chdir(tmp_path)
    return (*EXPLORE, "--driver", "kernel", "--tree", str(tree_of("6.12")))


def test_a_page_is_written_and_the_lines_say_where(
    real: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*real, "--coverage", "page"]) == OK
    told = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in told if line[0] != " "][:3] == [
        "covered",
        "uncalled",
        "page",
    ]
    assert "page     page/index.html" in told
    assert "hv_pci_probe" in (tmp_path / "page/index.html").read_text(encoding="utf-8")


def test_the_document_has_one_key_more_and_is_else_as_without(
    real: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*real, "--json", "--coverage", "page"]) == OK
    counted = json.loads(capsys.readouterr().out)
    assert main([*real, "--json"]) == OK
    plain = json.loads(capsys.readouterr().out)
    coverage = counted.pop("coverage")
    assert 0 < coverage["lines_run"] < coverage["lines"]
    assert 0 < coverage["branches_run"] < coverage["branches"]
    assert "hv_eject_device_work" in coverage["functions_not_run"]
    assert {**counted, "schedules_per_second": 0} == {**plain, "schedules_per_second": 0}


def test_the_model_has_no_lines_of_linux(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*EXPLORE, "--coverage", "page"]) == BAD_INPUT
    assert "--coverage is for the real driver; add --driver kernel" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_refused_before_anything_is_explored(
    real: tuple[str, ...], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert main([*real, "--coverage", "file/page"]) == BAD_INPUT
    assert "--coverage file/page: no file can be made there" in capsys.readouterr().err


def test_without_gcov_nothing_is_explored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="gcov"), counting(tmp_path):
        pytest.fail("there is no gcov")
