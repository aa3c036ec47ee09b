# SPDX-License-Identifier: MIT
"""Stopping every CPU at a safe place, to do something on one of them: kernel/stop_machine.c.

Knows nothing of what is done meanwhile, nor why.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import WaitQueue
from guest.kernel.vector_matrix import cpus_of

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

Function = Callable[[], Awaitable[int]]


async def stop_machine(kernel: Kernel, function: Function, cpu: int) -> int:
    """stop_machine_cpuslocked(): run ``function`` on ``cpu`` while all others spin; its result.

    May sleep. A CPU comes only once whoever is on it may be preempted, and until all have come
    they take interrupts; while ``function`` runs nobody does.
    """
    cpus = cpus_of(kernel.cpu_online_mask)
    stop = _MultiStop(kernel, len(cpus))
    threads = [
        kernel.spawn_thread(f"migration/{each}", stop.run(function if each == cpu else None), each)
        for each in cpus
    ]
    for thread in threads:
        await kernel.join(thread)
    return stop.ret


class _MultiStop:
    """struct multi_stop_data: all CPUs go through its states side by side."""

    def __init__(self, kernel: Kernel, threads: int) -> None:
        self._kernel = kernel
        self._threads = threads
        self._missing = threads
        self._others = WaitQueue("stop_machine")
        self.ret = 0

    async def run(self, function: Function | None) -> None:
        """multi_cpu_stop() of one CPU.

        Model: who runs the function does not wait for the others afterwards, for its CPU may be
        dead by then.
        """
        current = self._kernel.current
        current.preempt_off += 1
        await self._reach()  # MULTI_STOP_PREPARE
        current.irqs_off += 1
        await self._reach()  # MULTI_STOP_DISABLE_IRQ
        if function is None:
            await self._reach()  # MULTI_STOP_RUN
        else:
            self.ret = await function()
            self._ack_state()
        current.irqs_off -= 1
        current.preempt_off -= 1

    async def _reach(self) -> None:
        """Spin until the last one has got to the end of this state."""
        if not self._ack_state():
            await ops.park(self._kernel, self._others)

    def _ack_state(self) -> bool:
        """ack_state(): True for the last one, who lets all the others go on."""
        self._missing -= 1
        if self._missing:
            return False
        self._missing = self._threads
        ops.wake_all(self._kernel, self._others)
        return True
