# SPDX-License-Identifier: MIT
"""Deadlocks and hangs are told apart, and say who holds what."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Tasklet
from sim.oracles.stuck import judge_waiting
from tests.sim.test_engine import Bench


def test_two_locks_taken_in_opposite_order_are_a_deadlock() -> None:
    bench = Bench(cpus=2)
    kernel = bench.kernel
    one, two = Mutex(kernel, "one"), Mutex(kernel, "two")

    async def take(first: Mutex, second: Mutex) -> None:
        await first.lock()
        await ops.msleep(kernel, 1)
        await second.lock()

    bench.thread("a", take(one, two), 0)
    bench.thread("b", take(two, one), 1)
    bench.engine.run()
    violation = judge_waiting(bench.engine.waiting(), 0)
    assert violation is not None
    assert violation.kind == "deadlock"
    assert violation.message == "a waits for two and holds one; b waits for one and holds two"
    bench.engine.abandon()


def test_a_softirq_that_spins_on_a_lock_of_the_thread_below_it_is_a_deadlock() -> None:
    bench = Bench()
    kernel = bench.kernel
    lock = SpinLock(kernel, "lock")

    async def softirq() -> None:
        await lock.lock()

    async def thread() -> None:
        await lock.lock()  # and not lock_bh()
        Tasklet(kernel, "tasklet", softirq).schedule()
        await ops.point(kernel, "inside")
        await lock.unlock()

    bench.thread("thread", thread())
    bench.engine.run()
    violation = judge_waiting(bench.engine.waiting(), 0)
    assert violation is not None
    assert violation.kind == "deadlock"
    assert "thread waits for its CPU and holds lock" in violation.message
    bench.engine.abandon()


def test_a_completion_that_nobody_completes_is_a_hang() -> None:
    bench = Bench()

    async def waiter() -> None:
        await Completion(bench.kernel, "host_event").wait()

    bench.thread("waiter", waiter())
    bench.engine.run()
    violation = judge_waiting(bench.engine.waiting(), 0)
    assert violation is not None
    assert violation.kind == "hang"
    assert "host_event" in violation.message
    bench.engine.abandon()


def test_a_run_whose_contexts_all_ended_is_not_stuck() -> None:
    bench = Bench()

    async def nothing() -> None:
        await ops.msleep(bench.kernel, 1)

    bench.thread("nothing", nothing())
    bench.engine.run()
    assert judge_waiting(bench.engine.waiting(), 0) is None
