# SPDX-License-Identifier: MIT
"""The only module of the guest that suspends.

Every suspension is one ``yield`` of the context's own next condition to the scheduler, as trio
does over its traps: at a *point* the context stays ready and only offers the CPU; when *parked* it
waits until it is woken or its deadline passes. Nothing here knows who decides.
"""

from __future__ import annotations

import types
from collections.abc import Generator
from typing import TYPE_CHECKING

from guest.kernel.context import Kind, WaitQueue
from guest.kernel.faults import SleepInAtomic, SoftirqsLetIn

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

NS_PER_US = 1_000
NS_PER_MS = 1_000_000


@types.coroutine
def trap(point: str) -> Generator[str, None, None]:
    """Hand the name of the point to the scheduler. The single suspension of the guest."""
    yield point


async def offer(kernel: Kernel, name: str) -> None:
    """A named scheduling point at which somebody else may run; suspends only if somebody is to.

    The scheduler is asked from where the context stands: to go on there is far cheaper than to
    climb out of all its callers and back. Who is often here asks ``kernel.crowded`` himself.
    """
    if not kernel.scheduler.goes_on(name):
        await trap(name)


async def point(kernel: Kernel, name: str) -> None:
    """A named scheduling point: somebody else may run here, if anybody else can."""
    if kernel.crowded:
        await offer(kernel, name)


def forbid_sleep(kernel: Kernel, what: str, name: str = "") -> None:
    """Linux's might_sleep(): raise :class:`SleepInAtomic` in a context that must not.

    ``what`` may sleep, on ``name``; both are put together only if it comes to that.
    """
    current = kernel.current
    if current.atomic:
        raise SleepInAtomic(f"{what}({name}) may sleep, called in atomic context by {current.name}")


def forbid_softirqs_with_irqs_off(kernel: Kernel) -> None:
    """The warnings of __local_bh_enable_ip(): not in a hard interrupt, not with interrupts off."""
    current = kernel.current
    if current.irqs_off or current.kind is Kind.HARDIRQ:
        raise SoftirqsLetIn(f"local_bh_enable() with interrupts off by {current.name}")


async def park(
    kernel: Kernel, queue: WaitQueue, *, deadline_ns: int | None = None, wants: object = None
) -> bool:
    """Wait on ``queue``; True if woken, False if the deadline (absolute, ns) came first.

    ``wants`` is what a report says this context waits for, if not the queue itself.
    """
    current = kernel.current
    queue.waiters.append(current)
    current.ready = False
    current.waiting_for = queue if wants is None else wants
    if deadline_ns is not None:
        kernel.scheduler.wake_at(current, deadline_ns)
    await trap(queue.name)
    current.waiting_for = None
    if current in queue.waiters:  # nobody took it off: the deadline passed
        queue.waiters.remove(current)
        return False
    return True


def wake_one(kernel: Kernel, queue: WaitQueue) -> None:
    """Wake the context that has waited longest, if any."""
    if queue.waiters:
        kernel.scheduler.wake(queue.waiters.pop(0))


def wake_all(kernel: Kernel, queue: WaitQueue) -> None:
    """Wake every waiter, oldest first."""
    waiters, queue.waiters = queue.waiters, []
    for context in waiters:
        kernel.scheduler.wake(context)


async def msleep(kernel: Kernel, delay_ms: int) -> None:
    """Sleep; the CPU is free meanwhile."""
    forbid_sleep(kernel, "msleep")
    await burn_ns(kernel, delay_ms * NS_PER_MS, "msleep")


async def usleep(kernel: Kernel, delay_us: int) -> None:
    """Sleep; the CPU is free meanwhile."""
    forbid_sleep(kernel, "usleep_range")
    await burn_ns(kernel, delay_us * NS_PER_US, "usleep_range")


async def udelay(kernel: Kernel, delay_us: int) -> None:
    """Busy wait, allowed anywhere: the context keeps its CPU while time passes."""
    current = kernel.current
    current.preempt_off += 1
    await burn_ns(kernel, delay_us * NS_PER_US, "udelay")
    current.preempt_off -= 1


async def burn_ns(kernel: Kernel, delay_ns: int, why: str) -> None:
    """Let ``delay_ns`` of simulated time pass for this context."""
    current = kernel.current
    current.ready = False
    current.waiting_for = why
    kernel.scheduler.wake_at(current, kernel.scheduler.now_ns() + delay_ns)
    await trap(why)
    current.waiting_for = None
