# SPDX-License-Identifier: MIT
"""CPUs that go offline and come back: kernel/cpu.c, and who is told in which order.

Knows the order of the states and nothing of what is done in them: subsystems register their part.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import IntEnum
from errno import EBUSY
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from guest.kernel.cpu_events import CpuOffline, CpuOnline
from guest.kernel.cpu_takedown import take_cpu_down, takeover_tasklets
from guest.kernel.rwsem import PercpuRwSem
from guest.kernel.stop_machine import stop_machine
from guest.kernel.sync import Mutex
from guest.kernel.vector_matrix import cpus_of

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


class CpuhpState(IntEnum):
    """Of enum cpuhp_state what has callbacks here, in the order of coming up.

    ``AP_STARTING`` stands for what smpboot.c calls by name: native_cpu_disable() while the machine
    is stopped, lapic_online() before the CPU takes its first interrupt.
    """

    AP_STARTING = 0
    AP_IRQ_AFFINITY_ONLINE = 1
    AP_BLK_MQ_ONLINE = 2
    AP_ONLINE_DYN = 3


class CpuhpStep(NamedTuple):
    """struct cpuhp_step: both are called with the CPU, on that CPU; 0 or a negative errno."""

    state: CpuhpState
    startup: Callable[[int], Awaitable[int]]
    teardown: Callable[[int], Awaitable[int]]


async def nothing(_cpu: int) -> int:
    """A state that has no callback in this direction."""
    return 0


class CpuHotplug:
    """Who is to be told, and the way down and up. Under ``lock`` no CPU comes or goes."""

    __slots__ = ("_add_remove_lock", "_disabled", "_frozen", "_kernel", "_steps", "lock")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._steps: dict[CpuhpState, dict[CpuhpStep, None]] = {state: {} for state in CpuhpState}
        self._add_remove_lock = Mutex(kernel, "cpu_add_remove_lock")
        self._disabled = 0
        self._frozen: list[int] = []  # by freeze_secondary_cpus(), the highest number first
        self.lock = PercpuRwSem(kernel, "cpu_hotplug_lock")

    # --- who must not be disturbed ---

    async def disable(self) -> None:
        """cpu_hotplug_disable(): wait for who is at it; until enable() everybody gets -EBUSY."""
        self._disabled += 1
        if self._add_remove_lock.locked:
            await self._add_remove_lock.lock()
            await self._add_remove_lock.unlock()

    def enable(self) -> None:
        """cpu_hotplug_enable()."""
        self._disabled -= 1

    # --- who is told ---

    def setup_state(self, step: CpuhpStep) -> None:
        """cpuhp_setup_state_nocalls(), or one more instance of a state."""
        self._steps[step.state][step] = None

    def remove_state(self, step: CpuhpStep) -> None:
        """cpuhp_remove_state_nocalls()."""
        del self._steps[step.state][step]

    # --- down ---

    async def cpu_down(self, cpu: int) -> int:
        """cpu_down(): 0 or a negative errno; -EBUSY for the last CPU and while it is disabled."""
        await self._add_remove_lock.lock()
        others = self._kernel.cpu_online_mask & ~(1 << cpu)
        ret = -EBUSY
        if others and not self._disabled:
            lowest = (others & -others).bit_length() - 1
            ret = await self._on_cpu(lowest, f"cpu_down/{cpu}", self._cpu_down(cpu))
        await self._add_remove_lock.unlock()
        return ret

    async def _cpu_down(self, cpu: int) -> int:
        """_cpu_down(), on a CPU that stays."""
        await self.lock.down_write()
        ret = await self._on_cpu(cpu, f"cpuhp/{cpu}", self._tear_down(cpu))
        if ret == 0:
            ret = await self._takedown_cpu(cpu)
        self.lock.up_write()
        return ret

    async def _tear_down(self, cpu: int) -> int:
        """cpuhp_down_callbacks() of a CPU that still runs; whom it told is told again if one
        refuses."""
        told: list[CpuhpStep] = []
        for step in reversed(self._started()):
            ret = await step.teardown(cpu)
            if ret < 0:
                for undone in reversed(told):
                    await undone.startup(cpu)
                return ret
            told.append(step)
        return 0

    async def _takedown_cpu(self, cpu: int) -> int:
        """takedown_cpu(); if the CPU refuses to die, whom it told is told again."""
        teardowns = [step.teardown for step in self._starting()]
        die = partial(take_cpu_down, self._kernel, cpu, teardowns)
        ret = await stop_machine(self._kernel, die, cpu)
        if ret < 0:
            await self._on_cpu(cpu, f"cpuhp/{cpu}", self._bring_up(cpu))
            return ret
        takeover_tasklets(self._kernel, cpu)
        self._kernel.emit(CpuOffline(cpu))
        return 0

    # --- up ---

    async def cpu_up(self, cpu: int) -> int:
        """cpu_up(): 0, or -EBUSY while it is disabled."""
        await self._add_remove_lock.lock()
        ret = -EBUSY if self._disabled else await self._cpu_up(cpu)
        await self._add_remove_lock.unlock()
        return ret

    async def _cpu_up(self, cpu: int) -> int:
        """_cpu_up() and start_secondary()."""
        await self.lock.down_write()
        for step in self._starting():
            await step.startup(cpu)
        self._kernel.cpu_online_mask |= 1 << cpu
        self._kernel.cpus[cpu].clear()
        ret = await self._on_cpu(cpu, f"cpuhp/{cpu}", self._bring_up(cpu))
        self._kernel.emit(CpuOnline(cpu))
        self.lock.up_write()
        return ret

    async def _bring_up(self, cpu: int) -> int:
        """cpuhp_up_callbacks(). Model: none of them refuses."""
        for step in self._started():
            await step.startup(cpu)
        return 0

    # --- all at once ---

    async def freeze_secondary_cpus(self, primary: int) -> int:
        """freeze_secondary_cpus(): all but one go, the highest number first; 0 or an error.

        Nobody else brings one back until they are thawed, however it ends.
        """
        await self._add_remove_lock.lock()
        error = 0
        for cpu in reversed(cpus_of(self._kernel.cpu_online_mask & ~(1 << primary))):
            error = await self._cpu_down(cpu)
            if error:
                self._kernel.log("err", f"Error taking CPU{cpu} down: {error}")
                break
            self._frozen.append(cpu)
        self._disabled += 1
        await self._add_remove_lock.unlock()
        return error

    async def thaw_secondary_cpus(self) -> None:
        """thaw_secondary_cpus(): those that were frozen, the lowest number first."""
        await self._add_remove_lock.lock()
        self._disabled -= 1
        while self._frozen:
            await self._cpu_up(self._frozen.pop())
        await self._add_remove_lock.unlock()

    # --- both ---

    def _starting(self) -> list[CpuhpStep]:
        return list(self._steps[CpuhpState.AP_STARTING])

    def _started(self) -> list[CpuhpStep]:
        """Of a CPU that runs, in the order of coming up."""
        later = [state for state in CpuhpState if state is not CpuhpState.AP_STARTING]
        return [step for state in later for step in self._steps[state]]

    async def _on_cpu(self, cpu: int, name: str, call: Awaitable[int]) -> int:
        """work_on_cpu(), or the CPU's own hotplug thread: what it returned."""
        results: list[int] = []

        async def body() -> None:
            results.append(await call)

        await self._kernel.join(self._kernel.spawn_thread(name, body(), cpu))
        return results[0]
