# SPDX-License-Identifier: MIT
"""What may not be done where interrupts or softirqs are off is caught where it is done."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from guest.kernel import ops
from guest.kernel.faults import SleepInAtomic, SoftirqsLetIn
from guest.kernel.memory import GFP_ATOMIC, GFP_KERNEL, Allocated
from guest.kernel.sync import Completion, SpinLock
from guest.kernel.work import Tasklet
from sim.bounds import Stuck
from tests.guest.pci_core.fakes import Rig

LONG_US = 1_000_000  # a second at a time, to reach the watchdog's limit sooner


class Thing(Allocated):
    __slots__ = ()


@pytest.fixture
def rig() -> Rig:
    return Rig(cpus=1)


def under_a_lock(rig: Rig, body: Coroutine[Any, Any, Any]) -> None:
    """Run ``body`` as request_irq() runs a chip's callbacks."""
    lock = SpinLock(rig.kernel, "irq_desc")

    async def holder() -> None:
        await lock.lock_irqsave()
        await body
        await lock.unlock_irqrestore()

    rig.run(holder())


def test_an_allocation_that_may_sleep_is_caught_under_a_lock(rig: Rig) -> None:
    with pytest.raises(SleepInAtomic, match=r"kzalloc\(Thing\)"):
        under_a_lock(rig, rig.kernel.kzalloc(Thing, GFP_KERNEL))


def test_an_allocation_that_does_not_sleep_is_fine_under_a_lock(rig: Rig) -> None:
    under_a_lock(rig, rig.kernel.kzalloc(Thing, GFP_ATOMIC))
    assert rig.kernel.heap.census() == {"Thing": 1}


@pytest.mark.parametrize("come_before", [False, True])
def test_waiting_for_an_answer_is_caught_under_a_lock_even_if_it_is_there(
    rig: Rig, *, come_before: bool
) -> None:
    answer = Completion(rig.kernel, "host_event")
    answer.count = int(come_before)
    with pytest.raises(SleepInAtomic, match=r"wait_for_completion\(host_event\)"):
        under_a_lock(rig, answer.wait())


async def toggle_softirqs(rig: Rig) -> None:
    await rig.kernel.local_bh_disable()
    await rig.kernel.local_bh_enable()


def test_softirqs_are_not_let_in_under_a_lock_that_keeps_interrupts_off(rig: Rig) -> None:
    with pytest.raises(SoftirqsLetIn, match="interrupts off by test 0"):
        under_a_lock(rig, toggle_softirqs(rig))


def test_a_lock_that_keeps_softirqs_off_is_no_lock_for_where_interrupts_are_off(rig: Rig) -> None:
    lock = SpinLock(rig.kernel, "inner")

    async def take() -> None:
        await lock.lock_bh()
        await lock.unlock_bh()

    rig.run(take())
    with pytest.raises(SoftirqsLetIn):
        under_a_lock(rig, take())


def test_softirqs_are_not_let_in_from_a_hard_interrupt(rig: Rig) -> None:
    rig.kernel.raise_interrupt(0, "line", toggle_softirqs(rig))
    with pytest.raises(SoftirqsLetIn, match="by line"):
        rig.engine.run()


def test_softirqs_that_were_held_off_run_when_they_are_let_in(rig: Rig) -> None:
    seen: list[str] = []

    async def softirq() -> None:
        seen.append("softirq")

    async def thread() -> None:
        await rig.kernel.local_bh_disable()
        Tasklet(rig.kernel, "tasklet", softirq).schedule()
        seen.append("held off")
        await rig.kernel.local_bh_enable()
        seen.append("let in")

    rig.run(thread())
    assert seen == ["held off", "softirq", "let in"]


def test_a_cpu_that_polls_with_interrupts_off_for_its_own_softirq_is_stuck(rig: Rig) -> None:
    answer = Completion(rig.kernel, "host_event")
    tasklet = Tasklet(rig.kernel, "vmbus_on_event", answer.complete)

    async def poll() -> None:
        tasklet.schedule()
        while not answer.try_wait():
            await ops.udelay(rig.kernel, LONG_US)

    with pytest.raises(Stuck, match=r"CPU#0 stuck for 20 s: test 0"):
        under_a_lock(rig, poll())
    rig.engine.abandon()
