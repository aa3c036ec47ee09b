# SPDX-License-Identifier: MIT
"""The last moments of a CPU, and who inherits from it: take_cpu_down(), takeover_tasklets().

After kernel/cpu.c, kernel/softirq.c and as much of the scheduler as shows. Knows no subsystem.

Model: a thread that a CPU leaves behind goes on at the next one that is online; Linux picks any.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import Context, Kind
from guest.kernel.cpu_events import CpuDying

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

STOP_US = 1  # from the interrupts of all CPUs off to the first thing done about it


async def take_cpu_down(
    kernel: Kernel, cpu: int, teardowns: Iterable[Callable[[int], Awaitable[int]]]
) -> int:
    """take_cpu_down(), on that CPU and with the machine stopped; it ends in play_dead().

    A negative errno if the first teardown refuses: the CPU stays.
    """
    kernel.emit(CpuDying(cpu))
    await ops.udelay(kernel, STOP_US)
    kernel.cpu_online_mask &= ~(1 << cpu)
    for teardown in teardowns:
        ret = await teardown(cpu)
        if ret < 0:
            kernel.cpu_online_mask |= 1 << cpu
            return ret
    leave_cpu(kernel, cpu)
    return 0


def leave_cpu(kernel: Kernel, cpu: int) -> list[Context]:
    """play_dead() of the current context's CPU: everybody else leaves it; the tasks that did.

    An interrupt that nobody will take is forgotten; a task goes on elsewhere.
    """
    dying = kernel.cpus[cpu]
    bound = [each for each in kernel.scheduler.contexts_of(dying) if each is not kernel.current]
    dying.play_dead()
    for context in bound:
        if context.kind is Kind.HARDIRQ:
            kernel.scheduler.drop(context)
    tasks = [each for each in bound if each.kind not in (Kind.HARDIRQ, Kind.SOFTIRQ)]
    for context in tasks:
        context.cpu = kernel.online_cpu(cpu)
    return tasks


def takeover_tasklets(kernel: Kernel, cpu: int) -> None:
    """takeover_tasklets(): what was raised there and has not run, on the current CPU."""
    dead, here = kernel.cpus[cpu], kernel.current_cpu()
    for context in dead.softirqs_pending:
        context.cpu = here
    here.softirqs_pending += dead.softirqs_pending
    dead.softirqs_pending = []
