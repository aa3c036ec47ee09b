# SPDX-License-Identifier: MIT
"""Deadlocks and hangs are told apart, and say who holds what."""

from __future__ import annotations

import pytest

from guest.kernel import ops
from guest.kernel.freezer import PoweredOff
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Tasklet
from sim.bounds import Stuck
from sim.oracles.stuck import TOLD_MAX, judge_stuck, judge_waiting
from sim.violation import Violation, Whose
from tests.sim.test_engine import Bench


def deadlocked() -> Bench:
    """Two contexts have taken two locks in opposite order."""
    bench = Bench(cpus=2)
    kernel = bench.kernel
    one, two = Mutex(kernel, "one"), Mutex(kernel, "two")

    async def hv_take(first: Mutex, second: Mutex) -> None:
        await first.lock()
        await ops.msleep(kernel, 1)
        await second.lock()

    bench.thread("a", hv_take(one, two), 0)
    bench.thread("b", hv_take(two, one), 1)
    bench.engine.run()
    return bench


def test_two_locks_taken_in_opposite_order_are_a_deadlock() -> None:
    bench = deadlocked()
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


def test_everybody_who_waits_is_told_with_a_stack_in_kernel_function_names() -> None:
    bench = deadlocked()
    violation = judge_waiting(bench.engine.waiting(), 7)
    assert violation is not None
    assert violation.stacks == (("mutex_lock",), ("mutex_lock",))  # tests are no kernel functions
    assert violation.whose == (Whose("waits", "thread/0:a", 7), Whose("waits", "thread/1:b", 7))
    assert violation.context == "thread/0:a"
    bench.engine.abandon()


def test_a_run_that_gets_nowhere_says_why_and_then_who_waits_for_what() -> None:
    bench = Bench(cpus=2)
    kernel = bench.kernel
    lock = Mutex(kernel, "state_lock")

    async def waiter() -> None:
        await lock.lock()
        await Completion(kernel, "host_event").wait()

    async def poller() -> None:
        await kernel.local_irq_save()
        while True:
            await ops.udelay(kernel, 100)

    bench.thread("waiter", waiter(), 0)
    bench.thread("poller", poller(), 1)
    with pytest.raises(Stuck) as stuck:
        bench.engine.run()
    waiting = bench.engine.waiting()
    violation = judge_stuck(str(stuck.value), stuck.value.context, waiting, 7)
    bench.engine.abandon()
    assert violation.kind == "hang"
    assert violation.context == "thread/1:poller"
    assert violation.message == (
        "CPU#1 stuck for 20 s: poller;"
        " waiter waits for host_event and holds state_lock;"
        " poller waits for udelay and holds nothing"
    )
    assert violation.stacks == (("wait_for_completion",), ())


def test_of_a_hang_of_many_the_first_are_told() -> None:
    bench = Bench()

    async def waiter() -> None:
        await Completion(bench.kernel, "host_event").wait()

    for number in range(TOLD_MAX + 5):
        bench.thread(f"waiter {number}", waiter())
    bench.engine.run()
    waiting = bench.engine.waiting()
    violation = judge_waiting(waiting, 0)
    assert violation is not None
    assert len(violation.stacks) == len(violation.message.split("; ")) == TOLD_MAX
    assert len(judge_stuck("slow", "everybody", waiting, 0).stacks) == TOLD_MAX
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


def asleep(*, off: bool) -> Bench:
    """One holds a lock and waits at the power button; one wants the lock, a third waits for it."""
    bench = Bench(cpus=2)
    kernel = bench.kernel
    lock, settled = Mutex(kernel, "system_transition_mutex"), Completion(kernel, "hibernation")
    button = PoweredOff("power button")
    button.off = off

    async def hibernate() -> None:
        await lock.lock()
        await ops.park(kernel, button)

    async def hibernate_too() -> None:
        await ops.msleep(kernel, 1)
        await lock.lock()

    async def suspend() -> None:
        await settled.wait(by=kernel.spawn_thread("too", hibernate_too(), 1))

    bench.thread("hibernate", hibernate(), 0)
    bench.thread("suspend", suspend(), 1)
    return bench


def waiting_in(bench: Bench) -> Violation | None:
    bench.engine.run()
    violation = judge_waiting(bench.engine.waiting(), 0)
    bench.engine.abandon()
    return violation


def test_who_waits_for_one_that_waits_for_the_power_button_is_not_stuck() -> None:
    assert waiting_in(asleep(off=True)) is None


def test_nor_is_anybody_excused_by_a_machine_that_is_on() -> None:
    violation = waiting_in(asleep(off=False))
    assert violation is not None
    assert violation.message.count("waits for") == 3


def test_who_waits_for_something_else_is_stuck_while_the_machine_is_off() -> None:
    bench = asleep(off=True)

    async def waiter() -> None:
        await Completion(bench.kernel, "host_event").wait()

    bench.thread("waiter", waiter(), 0)
    violation = waiting_in(bench)
    assert violation is not None
    assert violation.message == "waiter waits for host_event and holds nothing"
