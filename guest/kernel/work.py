# SPDX-License-Identifier: MIT
"""Deferred work: work items, ordered and shared workqueues, tasklets.

A worker is a context that exists while its queue has something to do. An item that is initialised
again while it is queued corrupts the queue, as INIT_WORK does in the kernel.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import Context, Kind, WaitQueue
from guest.kernel.faults import ListCorruption
from guest.kernel.memory import GFP_KERNEL, Allocated

if TYPE_CHECKING:
    from guest.kernel.cpu import Cpu
    from guest.kernel.kernel import Kernel

WQ_DFL_ACTIVE = 256  # items that a queue executes at a time on each CPU


class Work(Allocated):
    """struct work_struct. ``function`` is an async function that takes the item itself."""

    __slots__ = ("function", "name", "owner", "pending", "queued")

    def __init__(
        self, name: str, function: Callable[[Work], Awaitable[None]], owner: object = None
    ) -> None:
        self.name = name
        self.owner = owner  # container_of(): the structure the item is embedded in
        self.queued = False  # on a queue's list, whatever ``pending`` says
        self.init(function)

    def init(self, function: Callable[[Work], Awaitable[None]]) -> None:
        """INIT_WORK(): forgets that the item is queued, if it is."""
        self.function = function
        self.pending = False


class WorkQueue(Allocated):
    """struct workqueue_struct: ``workers`` items at a time, one for an ordered queue.

    A bound queue runs an item on the CPU that queued it, so many at a time on each CPU. An unbound
    one leaves that to the scheduler; here it is the next CPU, so that a worker and whoever queued
    it run side by side. Items of a CPU that has gone offline run elsewhere (unbind_workers()).
    """

    __slots__ = ("_executed", "_items", "_kernel", "_running", "_sequence", "_unbound", "_waiters",
                 "_workers", "name")  # fmt: skip

    def __init__(
        self, kernel: Kernel, name: str, *, workers: int = 1, unbound: bool = False
    ) -> None:
        self._kernel = kernel
        self.name = name
        self._workers = workers
        self._unbound = unbound
        self._items: list[tuple[int, Work, Cpu]] = []
        self._running: dict[int, Cpu] = {}  # by sequence number: the items that have a worker
        self._executed: dict[int, Work] = {}  # likewise: those whose function runs
        self._sequence = 0
        self._waiters = WaitQueue(f"flush_workqueue({name})")

    async def queue(self, work: Work) -> bool:
        """queue_work(): False if the item is already pending."""
        return await self._queue(work, None)

    async def queue_on(self, cpu: int, work: Work) -> bool:
        """queue_work_on(): the same; the item runs on that CPU."""
        return await self._queue(work, self._kernel.cpus[cpu])

    async def _queue(self, work: Work, where: Cpu | None) -> bool:
        kernel = self._kernel
        if kernel.crowded:
            await ops.offer(kernel, "queue_work " + work.name)
        if work.pending:
            return False
        if work.queued:
            raise ListCorruption(f"{work.name} was initialised again while it was queued")
        work.pending = work.queued = True
        self._sequence += 1
        item = (self._sequence, work, where or self._cpu())
        self._items.append(item)
        if self._has_room(item):
            self._start_worker(item)
        return True

    def _cpu(self) -> Cpu:
        """Where an item that is queued now will run."""
        here = self._kernel.current_cpu()
        return self._kernel.online_cpu(here.index + 1) if self._unbound else here

    def _has_room(self, item: tuple[int, Work, Cpu]) -> bool:
        """Whether a worker is free for it: an unbound queue has one pool, a bound one each CPU."""
        busy = [cpu for cpu in self._running.values() if self._unbound or cpu is item[2]]
        return len(busy) < self._workers

    def _start_worker(self, item: tuple[int, Work, Cpu]) -> None:
        """A worker for an item nobody has taken; the item stays queued until it begins."""
        sequence, work, cpu = item
        self._running[sequence] = cpu
        name = f"{work.name}/{self.name}#{sequence}"
        where = self._kernel.online_cpu(cpu.index)
        self._kernel.scheduler.start(Context(name, Kind.WORK, where, self._work(item)))

    async def _work(self, item: tuple[int, Work, Cpu]) -> None:
        sequence, work, _ = item
        self._items.remove(item)
        work.pending = work.queued = False  # before the function runs: it may queue itself again
        self._executed[sequence] = work
        await work.function(work)
        del self._running[sequence], self._executed[sequence]
        ops.wake_all(self._kernel, self._waiters)
        waiting = (each for each in self._items if each[0] not in self._running)
        following = next(filter(self._has_room, waiting), None)
        if following is not None:
            self._start_worker(following)

    async def flush(self) -> None:
        """flush_workqueue(): wait for the items queued before the call, not for later ones."""
        ops.forbid_sleep(self._kernel, "flush_workqueue", self.name)
        last = self._sequence
        if self._kernel.crowded:
            await ops.offer(self._kernel, "flush_workqueue " + self.name)
        while self._busy_up_to(last):
            await ops.park(self._kernel, self._waiters)

    def _busy_up_to(self, last: int) -> bool:
        running = any(sequence <= last for sequence in self._running)
        return running or any(item[0] <= last for item in self._items)

    async def flush_work(self, work: Work) -> None:
        """flush_work(): wait until the item is neither queued nor executed."""
        ops.forbid_sleep(self._kernel, "flush_work", work.name)
        while work.queued or any(each is work for each in self._executed.values()):
            await ops.park(self._kernel, self._waiters)

    async def drain(self) -> None:
        """drain_workqueue(): flush until nothing is left, whatever the items queue meanwhile."""
        while self._items or self._running:
            await self.flush()

    async def destroy(self) -> None:
        """destroy_workqueue(): drain, then the queue is gone; using it is a use after free."""
        ops.forbid_sleep(self._kernel, "destroy_workqueue", self.name)
        await self.drain()
        await self._kernel.kfree(self)


async def work_on_cpu(
    kernel: Kernel, cpu: int, name: str, function: Callable[[], Awaitable[int]]
) -> int:
    """work_on_cpu(): what the function returns, called by a worker there; the caller waits."""
    results: list[int] = []

    async def call(_: Work) -> None:
        results.append(await function())

    work = Work(name, call)
    await kernel.events.queue_on(cpu, work)
    await kernel.events.flush_work(work)
    return results[0]


async def alloc_ordered_workqueue(kernel: Kernel, name: str) -> WorkQueue | None:
    """alloc_ordered_workqueue(): one item at a time, in order; None if memory is short."""
    return await kernel.kzalloc(WorkQueue, GFP_KERNEL, kernel, name, unbound=True)


class Tasklet(Allocated):
    """struct tasklet_struct: a softirq on the CPU it was scheduled on, never twice at once."""

    __slots__ = ("_disabled", "_function", "_kernel", "_running", "_scheduled_on", "_waiters",
                 "name")  # fmt: skip

    def __init__(self, kernel: Kernel, name: str, function: Callable[[], Awaitable[None]]) -> None:
        self._kernel = kernel
        self.name = name
        self._function = function
        self._scheduled_on: int | None = None
        self._running = False
        self._disabled = 0
        self._waiters = WaitQueue(f"tasklet_unlock_wait({name})")

    def schedule(self) -> None:
        """tasklet_schedule(): on the current CPU; nothing if it is scheduled already."""
        if self._scheduled_on is not None:
            return
        cpu = self._kernel.current.cpu
        assert cpu is not None, "tasklets are scheduled on a CPU"
        self._scheduled_on = cpu.index
        self._raise()

    def _raise(self) -> None:
        """Start the softirq, unless it is held off: TASKLET_SCHED then just stays set."""
        if self._disabled or self._running or self._scheduled_on is None:
            return
        # One of a CPU that has gone offline was taken over (takeover_tasklets()).
        cpu = self._kernel.online_cpu(self._scheduled_on)
        context = Context(f"{self.name}@{cpu.index}", Kind.SOFTIRQ, cpu, self._run())
        self._running = True
        self._kernel.scheduler.start(context)

    async def _run(self) -> None:
        # Disabled between raise and run: the softirq finds it so and leaves it scheduled.
        if not self._disabled:
            self._scheduled_on = None
            await self._function()
        self._running = False
        ops.wake_all(self._kernel, self._waiters)
        self._raise()

    async def disable(self) -> None:
        """tasklet_disable(): also waits until it is not running; may sleep."""
        ops.forbid_sleep(self._kernel, "tasklet_disable", self.name)
        await self.disable_in_atomic()

    async def disable_in_atomic(self) -> None:
        """tasklet_disable_in_atomic(): the same, spinning."""
        self._disabled += 1
        if self._kernel.crowded:
            await ops.offer(self._kernel, "tasklet_disable " + self.name)
        while self._executing():
            await ops.park(self._kernel, self._waiters)

    def _executing(self) -> bool:
        """True while the function runs; a softirq that was raised but not begun does not count."""
        return self._running and self._scheduled_on is None

    async def enable(self) -> None:
        """tasklet_enable(): what was held off runs when softirqs are looked for next, not here."""
        self._disabled -= 1
        if self._kernel.crowded:
            await ops.offer(self._kernel, "tasklet_enable " + self.name)
        self._raise()

    async def kill(self) -> None:
        """tasklet_kill(): wait until it is neither scheduled nor running."""
        ops.forbid_sleep(self._kernel, "tasklet_kill", self.name)
        while self._scheduled_on is not None or self._running:
            await ops.park(self._kernel, self._waiters)
