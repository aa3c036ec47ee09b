# SPDX-License-Identifier: MIT
"""What a replay adds to a violation: its objects' histories, and where a law was broken."""

from __future__ import annotations

from typing import ClassVar

import pytest

from guest.defects.catalogue import CATALOGUE
from guest.kernel.faults import DeadStack, DoubleFree, UseAfterFree
from guest.kernel.kernel import Kernel
from guest.kernel.memory import GFP_KERNEL, Allocated
from guest.kernel.sync import SpinLock
from guest.kernel.work import alloc_ordered_workqueue
from sim.choices import RandomChooser
from sim.oracles.law import Law, Sees
from sim.recorder import LEAKS_TOLD_MAX, Recorder, RecordingHeap, judge_fault
from sim.report.violation import report_lines
from sim.scenario_reader import load_scenario
from sim.violation import Leak, Violation, Whose
from sim.world import World
from tests.sim.test_engine import Bench


class Thing(Allocated):
    """Something with a lock embedded in it."""

    __slots__ = ("lock",)
    EMBEDDED = ("lock",)

    def __init__(self, kernel: Kernel) -> None:
        self.lock = SpinLock(kernel, "lock")


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
    history = heap.history(fault.value.culprit)
    assert list(history) == ["allocated", "freed"]
    assert {(taken.context, taken.at_ns) for taken in history.values()} == {("thread/0:thread", 7)}


def test_a_double_free_tells_the_first_one() -> None:
    bench = Bench()
    heap = recorded(bench)
    bench.thread("thread", free_twice(bench.kernel))
    with pytest.raises(DoubleFree) as fault:
        bench.engine.run()
    history = heap.history(fault.value.culprit)
    assert history["allocated"].frames == ("alloc_ordered_workqueue",)
    assert history["freed"].frames == ("destroy_workqueue",)


def found(defect_id: str, *, stacks: bool) -> Violation:
    """The violation of the first schedule in which the bug shows."""
    defect = CATALOGUE[defect_id]
    scenario = load_scenario(defect.scenario)
    for seed in range(20):
        world = World(scenario, chooser=RandomChooser(seed), defects=[defect], stacks=stacks)
        violation = world.run().violation
        if violation is not None:
            assert violation.kind == defect.expect
            return violation
    raise AssertionError(f"{defect_id} did not show")


def test_a_replayed_use_after_free_says_where_its_object_came_from_and_went() -> None:
    violation = found("eject-uaf-after-last-put", stacks=True)
    access, allocated, freed = violation.stacks
    assert access == ("hv_eject_device_work",)
    assert allocated == ("new_pcichild_device", "pci_devices_present_work")
    assert freed[0] == "put_pcichild"
    assert freed[-1] == "hv_eject_device_work"
    assert [whose.what for whose in violation.whose] == ["access", "allocated", "freed"]
    assert violation.whose[0] == Whose("access", violation.context, violation.at_ns)
    assert violation.whose[1].context.startswith("work/1:pci_devices_present_work/")


def test_a_run_that_records_nothing_still_says_where_it_failed() -> None:
    bare = found("eject-uaf-after-last-put", stacks=False)
    full = found("eject-uaf-after-last-put", stacks=True)
    assert bare.stacks == full.stacks[:1]
    assert (bare.kind, bare.message, bare.at_ns) == (full.kind, full.message, full.at_ns)


def test_a_broken_law_says_where_the_event_happened() -> None:
    violation = found("remove-after-rescind-talks", stacks=True)
    (access,) = violation.stacks
    assert "hv_pci_remove" in access
    assert "vmbus_sendpacket" in access
    assert violation.whose == (Whose("access", violation.context, violation.at_ns),)
    assert found("remove-after-rescind-talks", stacks=False).stacks == ()


def test_a_leak_says_where_what_was_lost_was_allocated() -> None:
    violation = found("eject-ref-leak", stacks=True)
    assert violation.stacks == (("new_pcichild_device", "pci_devices_present_work"),)
    assert [whose.what for whose in violation.whose] == ["allocated"]
    assert found("eject-ref-leak", stacks=False).stacks == ()


def test_a_leak_of_what_is_no_object_has_no_stack() -> None:
    violation = found("slot-leak-relations-removal", stacks=True)
    assert "PCI slot" in violation.message
    assert violation.stacks == ()


def test_a_lost_object_among_others_that_are_in_use_is_not_told_from_them() -> None:
    bench = Bench()
    recorder = Recorder(lambda: ("thread/0:thread", 7))
    things = [Thing(bench.kernel) for _ in range(LEAKS_TOLD_MAX + 1)]
    for thing in things:
        recorder.heap.add(thing)
    violation = Violation("leak", "nothing is lost", "left behind", "end of run", 9)

    def told(*leaks: Leak) -> int:
        return len(recorder.with_leaks(violation, leaks).stacks)

    assert told(Leak("Thing", len(things))) == LEAKS_TOLD_MAX
    assert told(Leak("Thing", 1)) == 0
    assert told(Leak("Thing", len(things), "O9")) == 0


class Grudge(Law):
    """A law that is broken at the end of every run."""

    name = "no run ends"
    kind = "wrong-value"
    sees: ClassVar[Sees] = {}

    def end(self, _at_ns: int) -> str:
        return "it ended"


def test_a_law_that_is_broken_at_the_end_of_a_run_happened_nowhere() -> None:
    violation = World(load_scenario("arrival"), stacks=True, laws=(Grudge,)).run().violation
    assert violation is not None
    assert violation.law == Grudge.name
    assert violation.stacks == ()


class Told(DeadStack):
    """A fault that has brought its stacks along, as those of C code do."""

    def stacks(self) -> dict[str, tuple[str, ...]]:
        return {"access": ("complete",), "returned": ("hv_pci_query_relations", "hv_pci_probe")}


def test_stacks_that_a_fault_has_brought_along_are_told_without_a_guess_at_whose_they_are() -> None:
    recorder = Recorder(lambda: ("work/0:hv_pci_1", 7))
    whose = ("work/0:hv_pci_1", 7)
    told = judge_fault(Told("gone"), kind="dead-stack", law="", whose=whose, recorder=recorder)
    assert told.stacks == (("complete",), ("hv_pci_query_relations", "hv_pci_probe"))
    assert told.whose == (Whose("access", *whose), Whose("returned", "", 0))
    lines = list(report_lines(told))
    assert lines[1] == "BUG: KASAN: stack-use-after-return in complete"
    assert "Gone since the return at:" in lines
