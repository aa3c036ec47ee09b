# SPDX-License-Identifier: MIT
"""The engine: order by choice, time by deadline."""

from __future__ import annotations

import types
from collections import Counter
from collections.abc import Coroutine, Generator, Sequence
from typing import Any

import pytest

from guest.kernel import ops
from guest.kernel.context import Context, Kind, Steps, WaitQueue
from guest.kernel.faults import AtomicLeak, LockMisuse, SleepInAtomic
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.kernel.sync import Completion, Mutex, SpinLock
from guest.kernel.work import Tasklet, Work, WorkQueue, alloc_ordered_workqueue
from protocol.hypercall import HypercallResult
from protocol.ids import VpIndex
from sim.bounds import Stuck
from sim.choices import (
    Choice,
    Chooser,
    DecisionChooser,
    Option,
    RandomChooser,
    RecordingChooser,
    ReplayChooser,
    ScheduleDiverged,
)
from sim.engine import Engine
from tests.ports import X86Port


class NobodyHome(X86Port):
    """A port behind which there is no host."""

    def hypercall(self, vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        return HypercallResult(2, bytes([vp & 0, control & 0, len(data) & 0]))

    def take_read_hold(self) -> int:
        return 0

    def mmio_read(self, gpa: int, size: int) -> int:
        return (1 << (8 * size)) - 1 if gpa >= 0 else 0

    def mmio_write(self, gpa: int, size: int, value: int) -> int:
        return 0 * (gpa + size + value)

    def power_off(self) -> None:
        """Nobody is there to notice."""


class Bench:
    """A kernel with nothing around it."""

    def __init__(self, cpus: int = 1, chooser: Chooser | None = None, *, lates: int = 0) -> None:
        self.engine = Engine(chooser, lates=lates)
        self.kernel = Kernel(
            port=NobodyHome(),
            scheduler=self.engine,
            vp_numbers=range(cpus),
            emit=lambda _: None,
            memory=PhysicalMemory(),
        )
        self.engine.attach(self.kernel)
        self.log: list[str] = []

    def thread(self, name: str, body: Coroutine[Any, Any, Any], cpu: int = 0) -> Context:
        return self.kernel.spawn_thread(name, body, cpu)


def test_time_moves_only_when_nothing_can_run() -> None:
    bench = Bench()

    async def sleeper(name: str, delay_ms: int) -> None:
        await ops.msleep(bench.kernel, delay_ms)
        bench.log.append(f"{name}@{bench.kernel.now_ns() // ops.NS_PER_MS}")

    bench.thread("late", sleeper("late", 20))
    bench.thread("early", sleeper("early", 10))
    bench.engine.run()
    assert bench.log == ["early@10", "late@20"]


def test_a_completion_that_comes_in_time_leaves_no_deadline_behind() -> None:
    bench = Bench()

    async def waiter() -> None:
        done = Completion(bench.kernel, "reply")
        bench.thread("poster", done_soon(done))
        assert await done.wait_timeout(1000)

    async def done_soon(done: Completion) -> None:
        await ops.msleep(bench.kernel, 5)
        await done.complete()

    bench.thread("waiter", waiter())
    bench.engine.run()
    assert bench.kernel.now_ns() == 5 * ops.NS_PER_MS


def test_a_wait_that_nobody_completes_ends_at_its_deadline() -> None:
    bench = Bench()

    async def waiter() -> None:
        bench.log.append(str(await Completion(bench.kernel, "reply").wait_timeout(100)))

    bench.thread("waiter", waiter())
    bench.engine.run()
    assert bench.log == ["False"]
    assert bench.kernel.now_ns() == 100 * ops.NS_PER_MS


def test_sleeping_under_a_spinlock_is_a_fault_at_that_line() -> None:
    bench = Bench()

    async def guilty() -> None:
        lock = SpinLock(bench.kernel, "lock")
        await lock.lock()
        await ops.msleep(bench.kernel, 1)

    bench.thread("guilty", guilty())
    with pytest.raises(SleepInAtomic, match="msleep"):
        bench.engine.run()


def test_a_context_that_ends_with_a_lock_held_is_a_fault() -> None:
    bench = Bench()

    async def guilty() -> None:
        await SpinLock(bench.kernel, "lock").lock()

    bench.thread("guilty", guilty())
    with pytest.raises(AtomicLeak, match="guilty"):
        bench.engine.run()


def test_a_cpu_that_is_kept_busy_for_twenty_seconds_is_stuck() -> None:
    bench = Bench()

    async def poller() -> None:
        await bench.kernel.local_irq_save()
        while True:
            await ops.udelay(bench.kernel, 100)

    bench.thread("poller", poller())
    with pytest.raises(Stuck, match="stuck for 20 s: poller"):
        bench.engine.run()
    assert 20 <= bench.kernel.now_ns() / 10**9 < 21
    assert bench.engine.steps < 10_000, "what a CPU does that spins alone need not be played"


def test_a_cpu_that_spins_until_the_host_comes_is_not_stuck() -> None:
    bench = Bench()
    come = []
    bench.engine.later((10**9, 10**9), "reply", lambda: come.append(True))

    async def poller() -> None:
        await bench.kernel.local_irq_save()
        while not come:
            await ops.udelay(bench.kernel, 100)
        await bench.kernel.local_irq_restore()

    bench.thread("poller", poller())
    bench.engine.run()
    assert bench.kernel.now_ns() == 10**9


def test_waiting_for_a_tasklet_in_atomic_context_needs_the_spinning_form() -> None:
    bench = Bench()

    async def softirq() -> None:
        """Nothing to do."""

    async def guilty() -> None:
        tasklet = Tasklet(bench.kernel, "tasklet", softirq)
        await bench.kernel.local_irq_save()
        await tasklet.disable_in_atomic()
        await tasklet.disable()

    bench.thread("guilty", guilty())
    with pytest.raises(SleepInAtomic, match="tasklet_disable"):
        bench.engine.run()


@pytest.mark.parametrize(("unbound", "cpu"), [(False, 1), (True, 0)])
def test_bound_work_stays_on_its_cpu_and_unbound_work_goes_to_the_next(
    unbound: bool, cpu: int
) -> None:
    bench = Bench(cpus=2)
    ran_on: list[int] = []

    async def item(_: Work) -> None:
        ran_on.append(bench.kernel.current_cpu().index)

    async def thread() -> None:
        queue = WorkQueue(bench.kernel, "queue", unbound=unbound)
        await queue.queue(Work("item", item))

    bench.thread("thread", thread(), 1)
    bench.engine.run()
    assert ran_on == [cpu]


@pytest.mark.parametrize(("unbound", "together"), [(False, 2), (True, 1)])
def test_a_bound_queue_has_its_worker_on_each_cpu_and_an_unbound_one_in_all(
    unbound: bool, together: int
) -> None:
    bench = Bench(cpus=2)
    queue = WorkQueue(bench.kernel, "queue", unbound=unbound)
    running: list[str] = []
    most: list[int] = []

    async def item(work: Work) -> None:
        running.append(work.name)
        most.append(len(running))
        await ops.msleep(bench.kernel, 1)
        running.remove(work.name)

    async def thread(name: str) -> None:
        await queue.queue(Work(name, item))
        await queue.queue(Work(name + "'", item))

    for cpu in (0, 1):
        bench.thread(f"thread{cpu}", thread(f"item{cpu}"), cpu)
    bench.engine.run()
    assert len(most) == 4
    assert max(most) == together


def test_taking_a_held_lock_again_is_a_self_deadlock() -> None:
    bench = Bench()

    async def guilty() -> None:
        lock = SpinLock(bench.kernel, "lock")
        await lock.lock()
        await lock.lock()

    bench.thread("guilty", guilty())
    with pytest.raises(LockMisuse):
        bench.engine.run()


def test_a_softirq_runs_before_the_thread_it_interrupted_goes_on() -> None:
    bench = Bench()

    async def softirq() -> None:
        bench.log.append("softirq")

    async def thread() -> None:
        tasklet = Tasklet(bench.kernel, "tasklet", softirq)
        bench.log.append("thread")
        tasklet.schedule()
        await ops.point(bench.kernel, "after")
        bench.log.append("thread again")

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["thread", "softirq", "thread again"]


@pytest.mark.parametrize("how", ["bh", "irqsave"])
def test_a_softirq_waits_while_its_cpu_holds_softirqs_or_interrupts_off(how: str) -> None:
    bench = Bench()
    lock = SpinLock(bench.kernel, "lock")

    async def softirq() -> None:
        bench.log.append("softirq")

    async def thread() -> None:
        await (lock.lock_bh() if how == "bh" else lock.lock_irqsave())
        Tasklet(bench.kernel, "tasklet", softirq).schedule()
        await ops.point(bench.kernel, "inside")
        await ops.udelay(bench.kernel, 5)
        bench.log.append("thread")
        await (lock.unlock_bh() if how == "bh" else lock.unlock_irqrestore())
        bench.log.append("thread again")

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["thread", "softirq", "thread again"]


@pytest.mark.parametrize("seed", range(10))
def test_an_interrupt_comes_only_where_interrupts_are_on(seed: int) -> None:
    bench = Bench(chooser=RandomChooser(seed))

    async def interrupt() -> None:
        bench.log.append("interrupt")

    async def thread() -> None:
        await bench.kernel.local_irq_save()
        bench.kernel.raise_interrupt(0, "line", interrupt())
        await ops.point(bench.kernel, "inside")
        bench.log.append("thread")
        await bench.kernel.local_irq_restore()

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["thread", "interrupt"]


def test_a_disabled_tasklet_runs_when_it_is_enabled() -> None:
    bench = Bench()

    async def softirq() -> None:
        bench.log.append("softirq")

    async def thread() -> None:
        tasklet = Tasklet(bench.kernel, "tasklet", softirq)
        await tasklet.disable()
        tasklet.schedule()
        await ops.msleep(bench.kernel, 1)
        bench.log.append("enabled")
        await tasklet.enable()

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["enabled", "softirq"]


def test_an_ordered_queue_runs_items_in_order_and_flush_waits_for_them() -> None:
    bench = Bench()

    async def item(work: Work) -> None:
        await ops.msleep(bench.kernel, 1)
        bench.log.append(work.name)

    async def thread() -> None:
        queue = await alloc_ordered_workqueue(bench.kernel, "wq")
        assert queue is not None
        for name in ("one", "two"):
            assert await queue.queue(Work(name, item))
        await queue.flush()
        bench.log.append("flushed")
        await queue.destroy()

    bench.thread("thread", thread())
    bench.engine.run()
    assert bench.log == ["one", "two", "flushed"]
    assert bench.kernel.heap.census() == {}


async def _contend(bench: Bench, name: str, mutex: Mutex) -> None:
    for _ in range(3):
        await mutex.lock()
        bench.log.append(name)
        await ops.point(bench.kernel, "inside")
        await mutex.unlock()


def _contest(chooser: Chooser | None) -> list[str]:
    bench = Bench(cpus=2, chooser=chooser)
    mutex = Mutex(bench.kernel, "mutex")
    for cpu, name in enumerate("ab"):
        bench.thread(name, _contend(bench, name, mutex), cpu)
    bench.engine.run()
    return bench.log


def test_one_seed_is_one_order_and_seeds_differ() -> None:
    orders = [_contest(RandomChooser(seed)) for seed in range(20)]
    assert orders == [_contest(RandomChooser(seed)) for seed in range(20)]
    assert len({tuple(order) for order in orders}) > 1


def test_natural_order_is_the_first_option_everywhere() -> None:
    class First:
        def choose(self, options: Sequence[Option]) -> int:
            assert len(options) > 1, "a moment with one option is no choice"
            return 0

    assert _contest(None) == _contest(First())


def test_a_recorded_run_replays_and_a_changed_one_says_where() -> None:
    recording = RecordingChooser(RandomChooser(5), names=True)
    order = _contest(recording)
    assert _contest(ReplayChooser(recording.choices)) == order
    assert _contest(DecisionChooser(recording.decisions)) == order
    with pytest.raises(ScheduleDiverged, match="step 0"):
        _contest(ReplayChooser([Choice(0, "nobody", "start"), *recording.choices]))


def test_an_option_says_who_it_is_and_where_it_is_stopped() -> None:
    recording = RecordingChooser(RandomChooser(5), names=True)
    _contest(recording)
    assert {choice.name for choice in recording.choices} == {"a", "b"}
    assert {choice.at for choice in recording.choices} == {
        *("start", "lock mutex", "mutex", "inside", "unlock mutex"),
    }


def test_a_host_action_is_an_option_by_its_label() -> None:
    recording = RecordingChooser(RandomChooser(1), names=True)
    bench = Bench(chooser=recording)
    for name in ("reply", "timer"):
        bench.engine.later((10, 10), name, lambda: None)
    bench.engine.run()
    assert [(choice.name in ("reply", "timer"), choice.at) for choice in recording.choices] == [
        (True, "")
    ]


def test_contexts_of_one_title_have_names_of_their_own_where_orders_are_chosen() -> None:
    async def nothing() -> None:
        """Ends at once."""

    def names(chooser: Chooser | None) -> list[tuple[str, str]]:
        bench = Bench(chooser=chooser)
        threads = [bench.thread(name, nothing()) for name in ("worker", "other", "worker")]
        bench.engine.run()
        return [(thread.name, thread.label) for thread in threads]

    labels = ["thread/0:worker", "thread/0:other", "thread/0:worker"]
    assert names(RandomChooser(1)) == [*zip(("worker", "other", "worker#2"), labels, strict=True)]
    assert names(None) == [*zip(("worker", "other", "worker"), labels, strict=True)]


def test_a_host_action_can_be_called_off() -> None:
    engine = Engine()
    done: list[str] = []
    engine.later((10, 10), "kept", lambda: done.append("kept"))
    engine.later((5, 5), "called off", lambda: done.append("called off"))()
    engine.run()
    assert done == ["kept"]
    assert engine.now_ns() == 10


def test_a_queue_wakes_its_waiters_in_the_order_they_came() -> None:
    bench = Bench()
    queue = WaitQueue("queue")

    async def waiter(name: str) -> None:
        assert await ops.park(bench.kernel, queue)
        bench.log.append(name)

    async def waker() -> None:
        ops.wake_all(bench.kernel, queue)

    for name in "abc":
        bench.thread(name, waiter(name))
    bench.thread("waker", waker())
    bench.engine.run()
    assert bench.log == ["a", "b", "c"]


def test_two_stops_at_one_point_have_different_numbers() -> None:
    seen: list[tuple[str, int]] = []

    class Onlooker:
        def choose(self, options: Sequence[Option]) -> int:
            seen.append((options[0].at, options[0].stop))
            return 0

    bench = Bench(chooser=Onlooker())

    async def thread() -> None:
        for _ in range(2):
            await ops.point(bench.kernel, "same")

    bench.thread("a", thread())
    bench.thread("b", thread())
    bench.engine.run()
    assert seen == [("start", 0), ("same", 1), ("same", 2)]


def test_who_has_come_to_an_end_is_done() -> None:
    kept: list[Option] = []

    class Keeper:
        def choose(self, options: Sequence[Option]) -> int:
            kept.extend(options)
            assert not any(option.done for option in options)
            return 0

    bench = Bench(chooser=Keeper())

    async def thread() -> None:
        """Nothing to do."""

    bench.thread("a", thread())
    bench.engine.later((0, 0), "reply", lambda: None)
    bench.engine.later((0, 0), "other reply", lambda: None)
    bench.engine.run()
    assert {option.name for option in kept} == {"reply", "other reply"}
    assert all(option.done for option in kept)


class _Turns:
    """Chooses by the letters of a script: ``s`` stays with whoever is current, ``o`` leaves."""

    def __init__(self, script: str) -> None:
        self._script = iter(script)
        self.asked: list[list[tuple[str, str]]] = []

    def choose(self, options: Sequence[Option]) -> int:
        self.asked.append([(option.name, option.at) for option in options])
        return int(next(self._script, "s") == "o")


@pytest.mark.parametrize(
    ("script", "resumed", "steps"),
    [("sss", {"a": 1, "b": 1}, 4), ("sso", {"a": 2, "b": 1}, 6), ("soo", {"a": 2, "b": 2}, 5)],
)
def test_a_context_suspends_at_a_point_only_if_another_is_to_go_on(
    script: str, resumed: dict[str, int], steps: int
) -> None:
    chooser = _Turns(script)
    bench = Bench(cpus=2, chooser=chooser)

    async def passes(name: str) -> None:
        for _ in range(2):
            await ops.point(bench.kernel, name)

    contexts = [bench.thread(name, passes(name), cpu) for cpu, name in enumerate("ab")]
    counted = Counter[str]()
    for context in contexts:
        context.coroutine = _counting(context.coroutine, context.name, counted)
    bench.engine.run()
    assert counted == resumed
    assert bench.engine.steps == steps  # a point at which it goes on ends a step, too
    assert chooser.asked[:2] == [
        [("a", "start"), ("b", "start")],
        [("a", "a"), ("b", "start")],
    ]


@types.coroutine
def _counting(inner: Steps, name: str, resumed: Counter[str]) -> Generator[Any, None, None]:
    """The same coroutine; how often it is resumed is counted."""
    try:
        while True:
            resumed[name] += 1
            yield inner.send(None)
    except StopIteration:
        return


def test_an_order_that_no_longer_fits_ends_the_run_from_within_a_point() -> None:
    bench = Bench(cpus=2, chooser=ReplayChooser([Choice(0, "a", "start"), Choice(0, "a", "gone")]))

    async def passes() -> None:
        await ops.point(bench.kernel, "here")

    for cpu, name in enumerate("ab"):
        bench.thread(name, passes(), cpu)
    with pytest.raises(ScheduleDiverged, match="'gone'"):
        bench.engine.run()
    assert bench.engine.current is not None
    assert (bench.engine.current.name, bench.engine.current.at) == ("a", "here")


def test_whoever_is_on_a_cpu_ends_when_the_kernel_dies_and_outsiders_go_on() -> None:
    bench = Bench(cpus=2)
    lock = Mutex(bench.kernel, "lock")

    async def holder() -> None:
        await lock.lock()
        bench.log.append("locked")
        await ops.msleep(bench.kernel, 1)
        bench.log.append("woken")

    async def waiter() -> None:
        await lock.lock()
        bench.log.append("got it")

    async def outsider() -> None:
        while not victim.done:
            watcher.ready = False
            victim.joiner = watcher
            await ops.trap("await")
        bench.log.append("joined")

    victim = bench.thread("holder", holder())
    bench.thread("waiter", waiter(), 1)
    watcher = Context("watcher", Kind.ACTOR, None, outsider())
    bench.engine.start(watcher)

    def kill() -> None:
        bench.kernel.die()
        bench.engine.halt()

    bench.engine.later((500_000, 500_000), "kill", kill)
    bench.engine.run()
    assert bench.log == ["locked", "joined"]
    assert bench.engine.waiting() == []
    assert bench.engine.now_ns() == 500_000
    assert all(cpu.thread is None for cpu in bench.kernel.cpus)
