# SPDX-License-Identifier: MIT
"""What has been run of the driver: gcov's document as it is read, and campaigns counted."""

import shutil
from pathlib import Path

import msgspec
import pytest

from guest.native.coverage import Coverage, Function, Line, coverage_of, read_counts
from guest.native.errors import BuildError
from sim.coverage import counted
from sim.exploration import explored
from sim.setup import read_setup

DOCUMENT = b"""{"format_version": "1", "files": [
{"file": "linux/list.h", "functions": [], "lines": [
  {"line_number": 1, "count": 9, "unexecuted_block": false, "branches": []}]},
{"file": "hv.c", "functions": [
  {"name": "later", "start_line": 30, "end_line": 31, "execution_count": 0},
  {"name": "first", "start_line": 10, "end_line": 13, "execution_count": 2}], "lines": [
  {"line_number": 30, "count": 0, "branches": []},
  {"line_number": 11, "count": 2, "branches": [
    {"count": 2, "throw": false, "fallthrough": true},
    {"count": 0, "throw": false, "fallthrough": false}]},
  {"line_number": 12, "count": 0, "branches": [], "function_name": "first.part.0"},
  {"line_number": 12, "count": 1, "branches": [], "function_name": "first"}]}]}"""


def test_only_the_file_that_is_asked_for_is_read_and_in_its_order() -> None:
    assert coverage_of(DOCUMENT, "hv.c") == Coverage(
        file="hv.c",
        lines=(Line(11, 2, (2, 0)), Line(12, 1), Line(30, 0)),
        functions=(Function("first", 10, 2), Function("later", 30, 0)),
    )


def test_what_was_run_is_counted_once_for_each_line_and_branch() -> None:
    coverage = coverage_of(DOCUMENT, "hv.c")
    assert (len(coverage.lines), coverage.lines_run) == (3, 2)
    assert (coverage.branches, coverage.branches_run) == (2, 1)
    assert coverage.functions_not_run == ("later",)


def test_a_file_that_gcov_does_not_know_has_no_lines() -> None:
    assert coverage_of(DOCUMENT, "other.c").lines == ()


def test_a_document_of_another_kind_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        coverage_of(b'{"lines": 1}', "hv.c")


def test_without_gcov_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BuildError, match="apt-get install gcc"):
        read_counts(tmp_path, tmp_path / "driver.o", tmp_path / "driver.c")


@pytest.fixture
def play(kernel_tree: Path, tmp_path: Path) -> "Play":
    if shutil.which("gcov") is None:
        pytest.skip("gcov is missing: apt-get install gcc")
    return Play(str(kernel_tree), tmp_path)


class Play:
    """Plays a few schedules of a scenario; what they run adds up."""

    def __init__(self, tree: str, counts: Path) -> None:
        self._tree = tree
        self._counts = counts

    def __call__(self, scenario: str, *, schedules: int = 2, jobs: int = 1) -> Coverage:
        setup = msgspec.structs.replace(read_setup(scenario), driver="kernel", tree=self._tree)
        explored(
            setup,
            strategy="portfolio",
            schedules=schedules,
            seed=0,
            jobs=jobs,
            progress=lambda _done, _found: None,
            counts=self._counts,
        )
        return counted(setup, self._counts)


def run_lines(coverage: Coverage) -> set[int]:
    return {line.number for line in coverage.lines if line.count > 0}


def test_an_eject_runs_what_an_arrival_does_not_and_nothing_is_lost_in_adding_up(
    play: Play,
) -> None:
    arrival = play("arrival")
    both = play("eject-in-use")
    assert "hv_eject_device_work" in arrival.functions_not_run
    assert "hv_eject_device_work" not in both.functions_not_run
    assert run_lines(arrival) < run_lines(both)
    assert [line.number for line in arrival.lines] == [line.number for line in both.lines]
    assert 0 < both.branches_run < both.branches


def test_other_processes_count_into_the_same_folder(play: Play) -> None:
    alone = play("arrival", schedules=4)
    more = play("arrival", schedules=4, jobs=2)
    assert {line.number: 2 * line.count for line in alone.lines} == {
        line.number: line.count for line in more.lines
    }


def test_what_a_run_puts_back_is_not_what_was_counted(play: Play) -> None:
    probes = [play("arrival").functions for _ in range(2)]
    counts = [{each.name: each.count for each in functions} for functions in probes]
    assert counts[1]["hv_pci_probe"] == 2 * counts[0]["hv_pci_probe"] > 0
