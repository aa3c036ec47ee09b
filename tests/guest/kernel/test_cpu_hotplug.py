# SPDX-License-Identifier: MIT
"""A CPU that is offline runs nothing; what was on it goes on elsewhere; who must know is told."""

from __future__ import annotations

from errno import EBUSY

import pytest

from guest.kernel import ops
from guest.kernel.context import Context, Kind
from guest.kernel.cpu_events import CpuDying, CpuOffline, CpuOnline
from guest.kernel.cpu_hotplug import CpuhpState, CpuhpStep
from guest.kernel.sync import Mutex
from guest.kernel.work import Tasklet, Work, WorkQueue
from tests.guest.kernel.orders import ORDERS, chooser_of
from tests.guest.pci_core.fakes import Rig


class Told:
    """A subsystem that writes down what it is told; ``refuses`` is what its teardown returns."""

    def __init__(self, rig: Rig, state: CpuhpState, name: str, refuses: int = 0) -> None:
        self.rig = rig
        self.name = name
        self.refuses = refuses
        self.step = CpuhpStep(state, self.up, self.down)
        rig.kernel.hotplug.setup_state(self.step)

    async def up(self, cpu: int) -> int:
        self._note("up", cpu)
        return 0

    async def down(self, cpu: int) -> int:
        self._note("down", cpu)
        return self.refuses

    def _note(self, what: str, cpu: int) -> None:
        assert self.rig.kernel.current_cpu().index == cpu
        self.rig.events.append((self.name, what, cpu))


def story(rig: Rig) -> list[object]:
    return [event for event in rig.events if isinstance(event, (tuple, CpuOffline, CpuOnline))]


def test_on_the_way_down_the_last_state_is_told_first_and_on_the_way_up_last() -> None:
    rig = Rig()
    Told(rig, CpuhpState.AP_ONLINE_DYN, "vmbus")
    Told(rig, CpuhpState.AP_BLK_MQ_ONLINE, "queues")
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == 0
    assert rig.run(rig.kernel.hotplug.cpu_up(1)) == 0
    assert story(rig) == [
        ("vmbus", "down", 1), ("queues", "down", 1), CpuOffline(1),
        ("queues", "up", 1), ("vmbus", "up", 1), CpuOnline(1),
    ]  # fmt: skip


def test_if_one_refuses_whom_was_told_before_is_told_again_and_the_cpu_stays() -> None:
    rig = Rig()
    Told(rig, CpuhpState.AP_ONLINE_DYN, "vmbus")
    Told(rig, CpuhpState.AP_BLK_MQ_ONLINE, "queues", refuses=-EBUSY)
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == -EBUSY
    assert story(rig) == [("vmbus", "down", 1), ("queues", "down", 1), ("vmbus", "up", 1)]
    assert rig.kernel.cpus[1].online
    assert rig.kernel.cpu_online_mask == 0b11


def test_if_the_cpu_refuses_to_die_everybody_is_told_again() -> None:
    rig = Rig()
    Told(rig, CpuhpState.AP_ONLINE_DYN, "vmbus")

    async def refuse(_cpu: int) -> int:
        return -EBUSY

    rig.kernel.hotplug.setup_state(CpuhpStep(CpuhpState.AP_STARTING, refuse, refuse))
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == -EBUSY
    assert story(rig) == [("vmbus", "down", 1), ("vmbus", "up", 1)]
    assert rig.kernel.cpu_online_mask == 0b11
    assert all(cpu.online for cpu in rig.kernel.cpus)


def test_who_has_left_is_not_told() -> None:
    rig = Rig()
    told = Told(rig, CpuhpState.AP_BLK_MQ_ONLINE, "queues")
    rig.kernel.hotplug.remove_state(told.step)
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == 0
    assert story(rig) == [CpuOffline(1)]


def test_the_last_cpu_stays() -> None:
    rig = Rig(1)
    assert rig.run(rig.kernel.hotplug.cpu_down(0)) == -EBUSY


def test_while_hotplug_is_disabled_nobody_comes_or_goes() -> None:
    rig = Rig()
    hotplug = rig.kernel.hotplug

    async def body() -> list[int]:
        await hotplug.disable()
        refused = [await hotplug.cpu_down(1), await hotplug.cpu_up(1)]
        hotplug.enable()
        return [*refused, await hotplug.cpu_down(1)]

    assert rig.run(body()) == [-EBUSY, -EBUSY, 0]


@ORDERS
def test_who_disables_hotplug_waits_for_a_cpu_that_is_on_its_way(seed: int | None) -> None:
    rig = Rig(chooser=chooser_of(seed))
    hotplug = rig.kernel.hotplug
    inside: list[bool] = []

    async def disables() -> None:
        await hotplug.disable()
        before = len(rig.events_of(CpuOffline))
        await ops.msleep(rig.kernel, 10)
        inside.append(len(rig.events_of(CpuOffline)) == before)
        hotplug.enable()

    rig.run(hotplug.cpu_down(1), disables())
    assert inside == [True]


@ORDERS
def test_no_cpu_goes_while_somebody_reads(seed: int | None) -> None:
    rig = Rig(chooser=chooser_of(seed))
    hotplug = rig.kernel.hotplug

    async def reads() -> None:
        await hotplug.lock.down_read()
        before = rig.kernel.cpu_online_mask
        await ops.msleep(rig.kernel, 10)
        assert rig.kernel.cpu_online_mask == before
        hotplug.lock.up_read()

    assert rig.run(hotplug.cpu_down(1), reads()) == 0


@ORDERS
def test_an_offline_cpu_runs_nothing(seed: int | None) -> None:
    rig = Rig(3, chooser=chooser_of(seed))
    kernel = rig.kernel
    ran: list[tuple[str, int]] = []
    queue = WorkQueue(kernel, "queue", workers=4)

    async def note(name: str) -> None:
        for _ in range(3):
            ran.append((name, kernel.current_cpu().index))
            await ops.msleep(kernel, 3)

    async def story() -> None:
        kernel.spawn_thread("sleeper", note("sleeper"), 1)
        assert await kernel.hotplug.cpu_down(1) == 0
        ran.clear()
        kernel.spawn_thread("new", note("new"), 1)
        await queue.queue(Work("work", lambda _: note("work")))
        await ops.msleep(kernel, 30)

    rig.run(story())
    assert {name for name, _ in ran} >= {"new", "work"}
    assert 1 not in {cpu for _, cpu in ran}
    assert rig.engine.waiting() == []
    assert not kernel.cpus[1].online


def test_to_start_anything_on_an_offline_cpu_is_a_slip() -> None:
    rig = Rig()
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == 0

    async def body() -> None:
        return None

    lost = Context("lost", Kind.THREAD, rig.kernel.cpus[1], body())
    with pytest.raises(AssertionError, match="offline"):
        rig.engine.start(lost)
    lost.coroutine.close()
    assert not rig.kernel.cpus[1].allows(lost)


@ORDERS
def test_a_thread_asleep_with_a_lock_goes_on_elsewhere(seed: int | None) -> None:
    rig = Rig(chooser=chooser_of(seed))
    lock = Mutex(rig.kernel, "lock")
    where: list[int] = []

    async def sleeper() -> None:
        await lock.lock()
        await ops.msleep(rig.kernel, 50)
        where.append(rig.kernel.current_cpu().index)
        await lock.unlock()

    rig.kernel.spawn_thread("sleeper", sleeper(), 1)
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == 0
    assert where == [0]


def test_work_that_waits_for_its_turn_runs_elsewhere() -> None:
    rig = Rig()
    kernel = rig.kernel
    queue = WorkQueue(kernel, "queue")
    where: list[int] = []

    async def item(_: Work) -> None:
        await ops.msleep(kernel, 20)
        where.append(kernel.current_cpu().index)

    async def fill() -> None:
        for name in ("first", "second"):
            await queue.queue(Work(name, item))

    rig.run(fill(), cpu=1)
    where.clear()
    rig.engine.start(Context("fill", Kind.THREAD, kernel.cpus[1], fill()))
    assert rig.run(kernel.hotplug.cpu_down(1)) == 0
    assert where == [0, 0]


@ORDERS
def test_a_tasklet_that_was_held_off_is_taken_over(seed: int | None) -> None:
    rig = Rig(chooser=chooser_of(seed))
    kernel = rig.kernel
    where: list[int] = []

    async def run() -> None:
        where.append(kernel.current_cpu().index)

    tasklet = Tasklet(kernel, "tasklet", run)

    async def holds_off() -> None:
        await tasklet.disable()
        tasklet.schedule()

    async def enables() -> None:
        await tasklet.enable()

    rig.run(holds_off(), cpu=1)
    assert rig.run(kernel.hotplug.cpu_down(1)) == 0
    rig.run(enables())
    assert where == [0]


def test_a_softirq_that_was_raised_and_has_not_run_is_taken_over() -> None:
    rig = Rig()
    kernel = rig.kernel
    where: list[int] = []

    async def run() -> None:
        where.append(kernel.current_cpu().index)

    tasklet = Tasklet(kernel, "tasklet", run)

    async def in_the_last_moment(_cpu: int) -> int:
        tasklet.schedule()
        return 0

    step = CpuhpStep(CpuhpState.AP_STARTING, in_the_last_moment, in_the_last_moment)
    kernel.hotplug.setup_state(step)
    assert rig.run(kernel.hotplug.cpu_down(1)) == 0
    assert where == [0]


def test_while_a_cpu_dies_time_passes_and_others_have_their_interrupts_off() -> None:
    rig = Rig()
    at_ns: list[int] = []

    async def handler() -> None:
        at_ns.append(rig.kernel.now_ns())

    emit = rig.kernel.emit

    def watch(event: object) -> None:
        emit(event)
        if isinstance(event, CpuDying):
            rig.kernel.raise_interrupt(0, "device", handler())

    rig.kernel.emit = watch
    assert rig.run(rig.kernel.hotplug.cpu_down(1)) == 0
    assert at_ns == [1_001_000]
