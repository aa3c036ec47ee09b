# SPDX-License-Identifier: MIT
"""Processes stand still while the machine hibernates; one that cannot keeps it from that."""

from __future__ import annotations

from errno import EBUSY

from guest.kernel import ops
from guest.kernel.freezer import FREEZE_TIMEOUT_MS
from sim.oracles.stuck import judge_waiting
from tests.sim.test_engine import Bench


class Story:
    """One process that sleeps for a while, and somebody who freezes it."""

    def __init__(self, sleeps_ms: int) -> None:
        self.bench = Bench(cpus=2)
        self.freezer = self.bench.kernel.freezer
        self.said: list[str] = []
        self._sleeps_ms = sleeps_ms

    async def process(self) -> None:
        self.said.append("begin")
        await ops.msleep(self.bench.kernel, self._sleeps_ms)
        self.said.append("end")

    async def freeze(self) -> None:
        await ops.msleep(self.bench.kernel, 1)
        error = await self.freezer.freeze()
        self.said.append(f"frozen {error}")

    async def start_late(self) -> None:
        await ops.msleep(self.bench.kernel, 100)
        await self.freezer.process(self.process)

    def play(self) -> None:
        self.bench.thread("process", self.freezer.process(self.process), 0)
        self.bench.thread("freeze", self.freeze(), 1)
        self.bench.engine.run()


def test_freezing_waits_for_what_processes_do_in_the_kernel() -> None:
    story = Story(sleeps_ms=50)
    story.play()
    assert story.said == ["begin", "end", "frozen 0"]


def test_a_process_that_stays_in_the_kernel_for_too_long_is_not_frozen() -> None:
    story = Story(sleeps_ms=FREEZE_TIMEOUT_MS + 10)
    story.play()
    assert story.said == ["begin", f"frozen {-EBUSY}", "end"]
    story.bench.thread("other", story.freezer.process(story.process), 0)
    story.bench.engine.run()
    assert story.said[3:] == ["begin", "end"]


def test_a_frozen_process_goes_on_when_it_is_thawed() -> None:
    story = Story(sleeps_ms=1)
    story.bench.thread("late", story.start_late(), 0)
    story.play()
    assert story.said == ["begin", "end", "frozen 0"]
    story.freezer.thaw()
    story.bench.engine.run()
    assert story.said[3:] == ["begin", "end"]


def test_a_process_that_is_never_thawed_hangs_unless_the_machine_is_off() -> None:
    story = Story(sleeps_ms=1)
    story.bench.thread("late", story.start_late(), 0)
    story.play()
    violation = judge_waiting(story.bench.engine.waiting(), 0)
    assert violation is not None
    assert violation.kind == "hang"
    story.freezer.refrigerator.off = True
    assert judge_waiting(story.bench.engine.waiting(), 0) is None
    story.bench.engine.abandon()
