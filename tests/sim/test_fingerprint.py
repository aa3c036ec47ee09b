# SPDX-License-Identifier: MIT
"""Equal streams of events, equal numbers, in any process; who and what count, when does not."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from guest.kernel.context import Context, Kind
from host.events import RingRefused, WorkerStopped
from sim.choices import RandomChooser
from sim.fingerprint import fingerprint
from sim.scenario_reader import load_scenario
from sim.world import World

SCRIPT = """
from tests.sim.test_fingerprint import of_seed
print(of_seed(5), of_seed(6))
"""


def of_seed(seed: int) -> int:
    world = World(load_scenario("multi-function"), chooser=RandomChooser(seed))
    world.run()
    return world.fingerprint


def test_the_same_schedule_has_the_same_number_and_others_have_others() -> None:
    assert of_seed(5) == of_seed(5)
    assert len({of_seed(seed) for seed in range(20)}) > 10


@pytest.mark.parametrize("hash_seed", ["0", "12345"])
def test_another_process_finds_the_same_number(hash_seed: str) -> None:
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )
    assert process.stdout.split() == [str(of_seed(5)), str(of_seed(6))]


async def nothing() -> None:
    """A context's body."""


def test_who_and_what_and_their_order_count_and_times_do_not() -> None:
    event = RingRefused(bus="nvme0", reason="scattered")
    body = nothing()
    worker, other = (Context(name, Kind.WORK, None, body) for name in ("worker", "other"))
    body.close()
    base = fingerprint([(1, worker, event), (2, None, event)])
    assert fingerprint([(5, worker, event), (9, None, event)]) == base
    others: list[list[tuple[int, Context | None, object]]] = [
        [(1, other, event), (2, None, event)],
        [(1, None, event), (2, worker, event)],
        [(1, worker, event)],
        [(1, worker, event), (2, None, msgspec.structs.replace(event, reason="short"))],
        # Another event with the same fields.
        [(1, worker, event), (2, None, WorkerStopped(bus="nvme0", reason="scattered"))],
    ]
    assert base not in {fingerprint(happened) for happened in others}
    assert base < 1 << 64


def test_an_empty_stream_has_a_number_too() -> None:
    assert fingerprint([]) == fingerprint([])
