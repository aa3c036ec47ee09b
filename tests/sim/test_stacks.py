# SPDX-License-Identifier: MIT
"""Stacks in kernel function names: of faults, of who waits, of allocations and frees."""

from __future__ import annotations

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.kernel.faults import UseAfterFree
from guest.kernel.sync import Completion, Mutex
from guest.kernel.work import Work, WorkQueue, alloc_ordered_workqueue
from sim.scenario_reader import load_scenario
from sim.stacks import of_fault, of_waiting
from sim.world import World
from tests.sim.test_engine import Bench


def test_a_stack_has_kernel_names_innermost_first_and_no_machinery() -> None:
    bench = Bench()

    async def thread() -> None:
        queue = await alloc_ordered_workqueue(bench.kernel, "wq")
        assert queue is not None
        await bench.kernel.kfree(queue)
        await WorkQueue.destroy(queue)

    bench.thread("thread", thread())
    with pytest.raises(UseAfterFree) as fault:
        bench.engine.run()
    assert of_fault(fault.value) == ("destroy_workqueue",)


def test_a_waiting_context_is_at_its_innermost_await() -> None:
    bench = Bench()
    mutex = Mutex(bench.kernel, "mutex")

    async def waiter() -> None:
        await mutex.lock()
        await Completion(bench.kernel, "never").wait()

    bench.thread("waiter", waiter())
    second = bench.thread("second", waiter())
    bench.engine.run()
    first, _ = bench.engine.waiting()
    assert of_waiting(first.coroutine) == ("wait_for_completion",)
    assert of_waiting(second.coroutine) == ("mutex_lock",)
    bench.engine.abandon()


def test_the_innermost_of_several_functions_comes_first() -> None:
    bench = Bench()

    async def item(_: Work) -> None:
        await Completion(bench.kernel, "never").wait()

    async def destroyer() -> None:
        queue = WorkQueue(bench.kernel, "wq")
        await queue.queue(Work("item", item))
        await queue.destroy()

    waiter = bench.thread("destroyer", destroyer())
    bench.engine.run()
    drained = ("flush_workqueue", "drain_workqueue", "destroy_workqueue")
    assert of_waiting(waiter.coroutine) == drained
    bench.engine.abandon()
    defect = CATALOGUE["bus-exit-sleeps-under-spinlock"]
    violation = World(load_scenario(defect.scenario), defects=[defect]).run().violation
    assert violation is not None
    assert violation.stacks[0][:2] == ("mutex_lock", "pci_destroy_slot")
    assert violation.stacks[0][-2:] == ("unload", "process")
