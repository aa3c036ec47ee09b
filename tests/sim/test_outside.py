# SPDX-License-Identifier: MIT
"""States as numbers: equal for what will do the same, and different for all else."""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from enum import Enum
from types import coroutine
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
import pytest

from sim.outside import Outside
from sim.readings import Unreadable


class Colour(Enum):
    RED = 1
    BLUE = 2


class Point(msgspec.Struct, frozen=True):
    x: int
    inside: tuple[object, ...] = ()


class Thing:
    __slots__ = ("held", "name")

    def __init__(self, name: str, *held: object) -> None:
        self.name = name
        self.held = list(held)

    def hold(self, what: object) -> None:
        self.held.append(what)


class Clock:
    """Somebody else's matter."""

    def __init__(self, now: int) -> None:
        self.now = now


@coroutine
def stop() -> Generator[None, None, None]:
    yield


async def linger(things: list[int]) -> None:
    for _ in things:
        await stop()


def state(*roots: object) -> int:
    return Outside({Clock: ()}, lambda _view: None).digest(*roots)


def counting(steps: int) -> Coroutine[Any, Any, None]:
    """A coroutine that has gone so far; what it keeps of that lies on its stack alone."""
    running = linger([7, 7, 7])
    for _ in range(steps):
        running.send(None)
    return running


def adder(by: int) -> Callable[[int], int]:
    return lambda number: number + by


ALIKE: list[Callable[[], object]] = [
    lambda: Thing("a", 1, b"2", None, 2.5, 1 << 80),
    lambda: {"a": deque([1]), Colour.RED: Point(3, (Colour.BLUE, "x"))},
    lambda: (adder(3), Thing("a").hold, print, Thing),
    lambda: np.arange(4, dtype=np.uint8),
    lambda: [UUID(int=5), range(3), frozenset({"a", "b", Colour.RED}), bytearray(b"x")],
    lambda: iter([1, 2, 3]),
    lambda: [Clock(1), memoryview(b"abc")],
    lambda: ValueError("a"),
]


@pytest.mark.parametrize("make", ALIKE)
def test_what_was_made_alike_is_in_one_state(make: Callable[[], object]) -> None:
    assert state(make()) == state(make())


def different() -> list[object]:
    one = Thing("a")
    return [
        Thing("a"),
        Thing("b"),
        Thing("a", 1),
        Thing("a", "1"),
        Thing("a", True),
        [one, one],
        [one, Thing("a")],
        (one, one),
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        adder(1),
        adder(2),
        Point(1),
        Point(1, (one,)),
        Point(1, (Thing("a", 2),)),
        Colour.RED,
        np.array([1, 2], dtype=np.uint8),
        np.array([1, 3], dtype=np.uint8),
        {1, 2},
        {1, 3},
        ValueError("a"),
        ValueError("b"),
        memoryview(b"abc"),
        memoryview(b"abd"),
    ]


def test_what_differs_anywhere_is_in_another_state() -> None:
    states = [state(each) for each in different()]
    assert len(set(states)) == len(states)


def test_a_coroutine_is_in_another_state_after_each_step_and_a_loop_s_place_counts() -> None:
    runs = [counting(steps) for steps in range(4)]
    states = [state(run) for run in runs]
    assert len(set(states)) == len(states)
    assert states == [state(run) for run in runs]
    for run in runs:
        run.close()


def test_what_changes_inside_of_something_frozen_changes_the_state() -> None:
    inner = Thing("a")
    reader, point = Outside({}, lambda _view: None), Point(1, (inner,))
    before = reader.digest(point)
    inner.held.append(1)
    assert reader.digest(point) != before
    inner.held.clear()
    assert reader.digest(point) == before


def test_somebody_else_s_matter_does_not_count() -> None:
    assert state(Thing("a", Clock(1))) == state(Thing("a", Clock(2)))


def test_a_view_of_what_is_shared_counts_by_its_place() -> None:
    at_one = Outside({}, lambda _view: 1).digest(memoryview(b"abc"))
    assert at_one == Outside({}, lambda _view: 1).digest(memoryview(b"xyz"))
    assert at_one != Outside({}, lambda _view: 2).digest(memoryview(b"abc"))


def test_what_nobody_knows_how_to_read_is_refused_by_name() -> None:
    with pytest.raises(Unreadable, match="Random"):
        state([__import__("_random").Random()])


def test_a_state_is_the_same_in_every_process() -> None:
    code = "from tests.sim.test_outside import *; print([state(make()) for make in ALIKE])"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == str([state(make()) for make in ALIKE])
