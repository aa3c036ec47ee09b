# SPDX-License-Identifier: MIT
"""The machine hibernates and comes back: the order of kernel/power/hibernate.c, as a table.

One thread of the kernel goes all the way: it stops in the middle with the machine switched off, and
goes on there once it is on again.

Model: what the memory image does not know of is left out: the devices' thaw while the image is
written, their second power-off, and the kernel that reads the image. To a host those are another
contact and another unload. Works and timers that are left over go on while the machine is off.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from guest.events import FunctionReturned, MachinePoweredOff, MachinePoweredOn, ProcessesFrozen
from guest.kernel import ops
from guest.kernel.dpm import PmEvent
from guest.kernel.freezer import PoweredOff
from guest.kernel.irq_pm import resume_device_irqs, suspend_device_irqs
from guest.kernel.sync import Completion, Mutex
from protocol.ids import RelId

if TYPE_CHECKING:
    from guest.kernel.context import Context
    from guest.kernel.irq_core import IrqCore
    from guest.kernel.kernel import Kernel

Down = Callable[[], Awaitable[int]]
Up = Callable[[PmEvent], Awaitable[None]]

OF_THE_MACHINE = RelId(0)  # no channel has it
PRIMARY_CPU = 0


class Hibernation:
    """One machine's hibernation; at most one is under way."""

    def __init__(self, kernel: Kernel, irqs: IrqCore) -> None:
        self._kernel = kernel
        self._irqs = irqs
        self._transition = Mutex(kernel, "system_transition_mutex")
        self._button = PoweredOff("power button")
        self._thread: Context | None = None

    # --- what somebody at the machine does ---

    async def suspend(self) -> None:
        """``systemctl hibernate``: returns once the machine is off, or has failed to get there."""
        settled = Completion(self._kernel, "hibernation")
        thread = self._kernel.spawn_thread("hibernate", self.hibernate(settled), PRIMARY_CPU)
        await settled.wait(by=thread)

    async def resume(self) -> None:
        """Switch the machine on; returns once it is back. Nothing happens if it is not off."""
        thread = self._thread
        if thread is None:
            return
        self._thread = None
        self._switch(off=False)
        ops.wake_all(self._kernel, self._button)
        await self._kernel.join(thread)

    # --- the kernel's thread ---

    async def hibernate(self, settled: Completion) -> None:
        """hibernate(): down the table, off, and up again; after an error up from where it came."""
        kernel = self._kernel
        await self._transition.lock()
        error, entered = 0, []
        for down, up in self.phases():
            entered.append(up)  # one that fails has done a part of its work
            error = await down()
            if error:
                break
        event = PmEvent.RECOVER
        if not error:
            await self._power_off(settled)
            event = PmEvent.RESTORE
        for up in reversed(entered):
            await up(event)
        await self._transition.unlock()
        kernel.emit(FunctionReturned(OF_THE_MACHINE, "hibernate", error))
        if error:
            await settled.complete()

    def phases(self) -> tuple[tuple[Down, Up], ...]:
        """Each phase down with the one that undoes it, in the kernel's order."""
        return (
            (self._disable_hotplug, self._enable_hotplug),
            (self._freeze_processes, self._thaw_processes),
            (self._block_probing, self._unblock_probing),
            (self._kernel.pm.suspend, self._kernel.pm.resume),
            (self._suspend_device_irqs, self._resume_device_irqs),
            (self._kernel.pm.suspend_noirq, self._kernel.pm.resume_noirq),
            (self._disable_secondary_cpus, self._enable_secondary_cpus),
        )

    async def _freeze_processes(self) -> int:
        error = await self._kernel.freezer.freeze()
        if not error:
            self._kernel.emit(ProcessesFrozen())
        return error

    async def _thaw_processes(self, _: PmEvent) -> None:
        self._kernel.freezer.thaw()

    async def _block_probing(self) -> int:
        """What dpm_prepare() does first."""
        await self._kernel.probing.block()
        return 0

    async def _unblock_probing(self, _: PmEvent) -> None:
        """What dpm_complete() does last."""
        await self._kernel.probing.unblock()

    async def _suspend_device_irqs(self) -> int:
        await suspend_device_irqs(self._irqs)
        return 0

    async def _resume_device_irqs(self, _: PmEvent) -> None:
        await resume_device_irqs(self._irqs)

    async def _disable_hotplug(self) -> int:
        """cpu_hotplug_pm_callback(): the hibernation alone takes CPUs offline from here on."""
        await self._kernel.hotplug.disable()
        return 0

    async def _enable_hotplug(self, _: PmEvent) -> None:
        self._kernel.hotplug.enable()

    async def _disable_secondary_cpus(self) -> int:
        return await self._kernel.hotplug.freeze_secondary_cpus(PRIMARY_CPU)

    async def _enable_secondary_cpus(self, _: PmEvent) -> None:
        await self._kernel.hotplug.thaw_secondary_cpus()

    async def _power_off(self, settled: Completion) -> None:
        """swsusp_arch_suspend(): the image is made, and the thread goes on when it is restored."""
        kernel = self._kernel
        kernel.emit(MachinePoweredOff())
        kernel.port.power_off()
        self._thread = kernel.current
        self._switch(off=True)
        await settled.complete()
        while self._button.off:
            await ops.park(kernel, self._button)
        kernel.emit(MachinePoweredOn())

    def _switch(self, *, off: bool) -> None:
        """Whoever waits while the machine is off waits for nobody's fault."""
        self._button.off = off
        self._kernel.freezer.refrigerator.off = off
