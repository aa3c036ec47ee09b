# SPDX-License-Identifier: MIT
"""Processes that do tasks for a campaign, and survive one of them being killed.

Knows neither tasks nor results. What a worker is doing is known to the parent alone, so a dead one
(out of memory, killed by somebody) takes nothing with it: its tasks are done once more, each by
itself, and what kills a worker again is reported as lost. Where one worker after another dies and
none does anything, no more are started.
"""

from __future__ import annotations

import multiprocessing
import pickle
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias, TypeVar

from sim.collector import seldom

# Tasks that go to a worker in one message: at most so many, and few enough that each worker has
# several turns and all end at about the same time.
CHUNK_TASKS_MAX: Final = 8
TURNS_MIN: Final = 4


class Lost(NamedTuple):
    """Stands where a result would: ``why`` says how the worker ended that had this task."""

    why: str


class WorkersDie(Exception):
    """One worker after another has died, and none did anything; one line with the remedy."""


class WorkerError(Exception):
    """A task raised an exception in a worker; the text is the worker's traceback.

    The cause of the exception that is raised here, or raised itself where that one cannot travel.
    """


class _Raised(NamedTuple):
    """What a worker sends before it ends: a task's exception, pickled if it can be."""

    pickled: bytes | None
    traceback: str

    def again(self) -> NoReturn:
        """Raise it in this process."""
        if self.pickled is None:
            raise WorkerError(self.traceback)
        raise pickle.loads(self.pickled) from WorkerError(self.traceback)


Do: TypeAlias = Callable[[Any], Any]
Start: TypeAlias = Callable[[], Do]  # called once in each worker; must be picklable
# A worker's life, called once in it: it makes what does tasks, and hands it to what it is given,
# which returns when there is nothing left to do. Must be picklable.
Life: TypeAlias = Callable[[Callable[[Do], None]], None]
Task = TypeVar("Task")
Done = TypeVar("Done")
Run: TypeAlias = Callable[[Sequence[Task]], Iterator[tuple[int, Done | Lost]]]  # as Workers.run


class Chunk(NamedTuple):
    """Tasks by their place in the list; ``again`` once a worker has died over them."""

    places: tuple[int, ...]
    again: bool = False


class _Worker:
    """One process, our end of its pipe, and what it is doing."""

    def __init__(self, life: Life) -> None:
        # Not fork: a copy of a process with threads (numpy's, the progress display's) may hang.
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(life, theirs), daemon=True)
        # Ctrl-C is for the parent to answer; it comes to every process of the terminal, and the
        # worker begins with what is blocked here.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()  # or its end would never show as the end of the pipe
        self.chunk: Chunk | None = None

    def end(self) -> str:
        """Stop it, if it has not stopped by itself; says how it ended."""
        self.pipe.close()
        self.process.terminate()
        self.process.join()
        code = self.process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"


def _work(life: Life, pipe: Connection) -> None:
    """Live, and tell of what ends that early."""
    try:
        with seldom():
            life(partial(_serve, pipe))
    except Exception as error:
        _tell(pipe, error)


def _serve(pipe: Connection, do: Do) -> None:
    """Give results for tasks until the pipe ends."""
    try:
        while True:
            pipe.send([do(task) for task in pipe.recv()])
    except (EOFError, BrokenPipeError):
        return  # the parent has gone
    except Exception as error:
        _tell(pipe, error)


def _tell(pipe: Connection, error: Exception) -> None:
    with suppress(BrokenPipeError):  # nobody wants to know any more
        pipe.send(_Raised(_pickled(error), traceback.format_exc()))


def _pickled(error: Exception) -> bytes | None:
    """The exception as bytes, unless it cannot be made of them again."""
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # whatever the exception's own methods raise
        return None
    return data


class Workers:
    """As many processes as asked for. ``close()`` ends them; nothing of a task outlives it."""

    def __init__(self, jobs: int, life: Life) -> None:
        self._life = life
        self._workers = [_Worker(life) for _ in range(jobs)]
        self._deaths = 0  # since a worker has last done something
        # At worst each worker dies of something else, and then of each task of a chunk.
        self._deaths_max = jobs + CHUNK_TASKS_MAX

    def run(self, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Do all tasks; gives each result, with its task's place, as it comes.

        Raises what a task raised, and WorkersDie.
        """
        places = range(len(tasks))
        size = min(CHUNK_TASKS_MAX, max(1, len(tasks) // (TURNS_MIN * len(self._workers))))
        todo = deque(Chunk(tuple(places[first : first + size])) for first in places[::size])
        left = len(tasks)
        while left:
            for worker in self._workers:
                if worker.chunk is None and todo:
                    self._give(worker, todo.popleft(), tasks)
            ready = wait([worker.pipe for worker in self._workers if worker.chunk])
            for worker in [worker for worker in self._workers if worker.pipe in ready]:
                results = self._take(worker, todo)
                left -= len(results)
                yield from results

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        for worker in self._workers:
            worker.end()

    def _give(self, worker: _Worker, chunk: Chunk, tasks: Sequence[Any]) -> None:
        worker.chunk = chunk
        try:
            worker.pipe.send([tasks[place] for place in chunk.places])
        except OSError:
            return  # it is dead; reading from the pipe will tell

    def _take(self, worker: _Worker, todo: deque[Chunk]) -> list[tuple[int, Any]]:
        """What a worker has sent; if it is dead, what is to be done about that."""
        chunk, worker.chunk = worker.chunk, None
        assert chunk is not None, "only a busy worker has something to say"
        try:
            came = worker.pipe.recv()
        except (EOFError, OSError):
            return self._replace(worker, chunk, todo)
        if isinstance(came, _Raised):
            came.again()
        self._deaths = 0
        return list(zip(chunk.places, came, strict=True))

    def _replace(self, worker: _Worker, chunk: Chunk, todo: deque[Chunk]) -> list[tuple[int, Any]]:
        how = worker.end()
        self._deaths += 1
        if self._deaths > self._deaths_max:
            raise WorkersDie(
                f"{self._deaths} processes in a row ended ({how}) before they had played anything;"
                " there may be too little memory: use fewer --jobs, or 1 to play in this process"
            )
        self._workers[self._workers.index(worker)] = _Worker(self._life)
        if chunk.again:
            return [(place, Lost(how)) for place in chunk.places]
        todo.extendleft(Chunk((place,), again=True) for place in reversed(chunk.places))
        return []


@contextmanager
def at_work(start: Start, *, jobs: int) -> Iterator[Run[Any, Any]]:
    """What does tasks: this process for one job, else so many others, which end with this."""
    if jobs == 1:
        with seldom():
            yield partial(_one_by_one, start())
        return
    with workers(partial(starting, start), jobs=jobs) as run:
        yield run


@contextmanager
def workers(life: Life, *, jobs: int) -> Iterator[Run[Any, Any]]:
    """What does tasks in so many processes that live so, and end with this."""
    hired = Workers(jobs, life)
    try:
        yield hired.run
    finally:
        hired.close()


def starting(start: Start, serve: Callable[[Do], None]) -> None:
    """The life of a worker that needs no more than a start."""
    serve(start())


def _one_by_one(do: Do, tasks: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    for place, task in enumerate(tasks):
        yield place, do(task)
