# SPDX-License-Identifier: MIT
"""Stacks in kernel function names: of faults, of who waits, of allocations and frees."""

from __future__ import annotations

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.kernel.faults import DoubleFree, GuestFault, UseAfterFree
from guest.kernel.kernel import Kernel
from guest.kernel.memory import GFP_KERNEL, Allocated, Heap
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Work, WorkQueue, alloc_ordered_workqueue
from sim.choices import RandomChooser
from sim.scenario_reader import load_scenario
from sim.stacks import RecordingHeap, history_of, of_fault, of_waiting
from sim.violation import Violation, Whose
from sim.world import World
from tests.sim.test_engine import Bench


class Thing(Allocated):
    """Something with a lock embedded in it."""

    __slots__ = ("lock",)
    EMBEDDED = ("lock",)

    def __init__(self, kernel: Kernel) -> None:
        self.lock = SpinLock(kernel, "lock")


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
    assert of_waiting(waiter.coroutine) == ("flush_workqueue", "destroy_workqueue")
    bench.engine.abandon()
    defect = CATALOGUE["bus-exit-sleeps-under-spinlock"]
    violation = World(load_scenario(defect.scenario), defects=[defect]).run().violation
    assert violation is not None
    assert violation.stacks[0][:2] == ("mutex_lock", "pci_destroy_slot")
    assert violation.stacks[0][-1] == "unload"


def recorded(bench: Bench) -> RecordingHeap:
    heap = RecordingHeap(lambda: (bench.engine.current.label if bench.engine.current else "?", 7))
    bench.kernel.heap = heap
    return heap


async def use_the_lock_of_a_freed_thing(kernel: Kernel) -> None:
    thing = await kernel.kzalloc(Thing, GFP_KERNEL, kernel)
    assert thing is not None
    lock = thing.lock
    await kernel.kfree(thing)
    await lock.lock()


async def free_twice(kernel: Kernel) -> None:
    queue = await alloc_ordered_workqueue(kernel, "wq")
    assert queue is not None
    await queue.destroy()
    await kernel.kfree(queue)


def test_what_was_embedded_in_a_freed_object_has_its_history() -> None:
    bench = Bench()
    heap = recorded(bench)
    bench.thread("thread", use_the_lock_of_a_freed_thing(bench.kernel))
    with pytest.raises(UseAfterFree) as fault:
        bench.engine.run()
    history = history_of(fault.value, heap)
    assert list(history) == ["allocated", "freed"]
    assert {(taken.context, taken.at_ns) for taken in history.values()} == {("thread/0:thread", 7)}


def test_a_double_free_tells_the_first_one() -> None:
    bench = Bench()
    heap = recorded(bench)
    bench.thread("thread", free_twice(bench.kernel))
    with pytest.raises(DoubleFree) as fault:
        bench.engine.run()
    history = history_of(fault.value, heap)
    assert history["allocated"].frames == ("alloc_ordered_workqueue",)
    assert history["freed"].frames == ("destroy_workqueue",)


def test_a_fault_about_nothing_in_particular_has_no_history() -> None:
    assert history_of(GuestFault("somewhere"), RecordingHeap(lambda: ("", 0))) == {}
    assert history_of(GuestFault("somewhere", object()), Heap()) == {}


def use_after_free(*, stacks: bool) -> Violation:
    defect = CATALOGUE["eject-uaf-after-last-put"]
    world = World(
        load_scenario(defect.scenario), chooser=RandomChooser(0), defects=[defect], stacks=stacks
    )
    violation = world.run().violation
    assert violation is not None
    assert violation.kind == defect.expect
    return violation


def test_a_replayed_use_after_free_says_where_its_object_came_from_and_went() -> None:
    violation = use_after_free(stacks=True)
    access, allocated, freed = violation.stacks
    assert access == ("hv_eject_device_work",)
    assert allocated == ("new_pcichild_device", "pci_devices_present_work")
    assert freed[0] == "put_pcichild"
    assert freed[-1] == "hv_eject_device_work"
    assert [whose.what for whose in violation.whose] == ["access", "allocated", "freed"]
    assert violation.whose[0] == Whose("access", violation.context, violation.at_ns)
    assert violation.whose[1].context.startswith("work/1:pci_devices_present_work/")


def test_a_run_that_records_nothing_still_says_where_it_failed() -> None:
    bare, full = use_after_free(stacks=False), use_after_free(stacks=True)
    assert bare.stacks == full.stacks[:1]
    assert (bare.kind, bare.message, bare.at_ns) == (full.kind, full.message, full.at_ns)
