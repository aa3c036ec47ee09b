# SPDX-License-Identifier: MIT
"""Workers answer every task, in whatever order they end; a killed one costs nothing but time."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from sim.workers import Lost, Start, WorkerError, Workers, WorkersDie, starting


@contextmanager
def working(jobs: int, start: Start) -> Iterator[Workers]:
    workers = Workers(jobs, partial(starting, start))
    try:
        yield workers
    finally:
        workers.close()


def doubling() -> Callable[[int], int]:
    return lambda task: 2 * task


def dying(over: int, marks: Path, times: int) -> Callable[[int], int]:
    """A worker that is killed over one task, the first ``times`` times."""

    def do(task: int) -> int:
        if task == over and len(list(marks.iterdir())) < times:
            (marks / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return 2 * task

    return do


def dead_at_once() -> Callable[[int], int]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("somebody survived")


def interrupting() -> Callable[[int], int]:
    def do(task: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return task

    return do


class Needy(Exception):
    """Cannot be made of its message alone."""

    def __init__(self, what: str, more: int) -> None:
        super().__init__(f"{what} {more}")


def failing(error: type[ValueError] | None) -> Callable[[int], int]:
    def do(task: int) -> int:
        raise Needy("not", task) if error is None else error(f"not {task}")

    return do


@pytest.mark.parametrize("jobs", [1, 3])
def test_every_task_has_its_result_in_its_place(jobs: int) -> None:
    tasks = list(range(99))
    with working(jobs, doubling) as workers:
        results = dict(workers.run(tasks))
        assert [results[place] for place in range(len(tasks))] == [2 * task for task in tasks]
        assert dict(workers.run([7])) == {0: 14}


def test_the_tasks_of_a_killed_worker_are_done_once_more(tmp_path: Path) -> None:
    tasks = list(range(99))
    with working(2, partial(dying, over=5, marks=tmp_path, times=1)) as workers:
        results = dict(workers.run(tasks))
    assert results == {task: 2 * task for task in tasks}
    assert len(list(tmp_path.iterdir())) == 1


def test_a_task_that_kills_every_worker_is_reported_and_costs_no_other(tmp_path: Path) -> None:
    tasks = list(range(99))
    with working(2, partial(dying, over=5, marks=tmp_path, times=9)) as workers:
        results = dict(workers.run(tasks))
    assert results.pop(5) == Lost("SIGKILL")
    assert results == {task: 2 * task for task in tasks if task != 5}
    assert len(list(tmp_path.iterdir())) == 2


def test_where_no_worker_lives_an_error_names_the_remedy() -> None:
    with (
        working(2, dead_at_once) as workers,
        pytest.raises(WorkersDie, match=r"^11 processes in a row ended \(SIGKILL\).* --jobs"),
    ):
        list(workers.run(range(10**6)))


def test_an_exception_of_a_task_is_raised_here_with_the_workers_traceback() -> None:
    with (
        working(1, partial(failing, ValueError)) as workers,
        pytest.raises(ValueError, match=r"^not 4$") as caught,
    ):
        list(workers.run([4]))
    assert "in do\n" in str(caught.value.__cause__)


def test_an_exception_that_cannot_travel_is_told_as_text() -> None:
    with working(1, partial(failing, None)) as workers, pytest.raises(WorkerError, match="not 4"):
        list(workers.run([4]))


def test_closing_ends_processes_that_are_busy() -> None:
    before = multiprocessing.active_children()
    workers = Workers(2, partial(starting, doubling))
    assert len(multiprocessing.active_children()) == len(before) + 2
    workers.close()
    assert multiprocessing.active_children() == before


def test_ctrl_c_is_left_to_the_parent() -> None:
    with working(1, interrupting) as workers:
        assert dict(workers.run([3])) == {0: 3}
