# SPDX-License-Identifier: MIT
"""The freezer: user processes stand still while the machine hibernates. kernel/power/process.c.

A process is a thread's body that was wrapped by :meth:`Freezer.process`; works and the kernel's own
threads are none. Knows nothing of devices.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EBUSY
from typing import TYPE_CHECKING, Final

from guest.kernel import ops
from guest.kernel.context import WaitQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

FREEZE_TIMEOUT_MS: Final = 20_000  # freeze_timeout_msecs


class PoweredOff(WaitQueue):
    """Who waits here while ``off`` waits for the machine to be switched on, and need not be."""

    __slots__ = ("off",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.off = False


class Freezer:
    """Counts the processes that run; ``refrigerator`` holds those that may not."""

    __slots__ = ("_busy", "_frozen", "_kernel", "_left", "refrigerator")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._busy = 0
        self._frozen = False
        self._left = WaitQueue("try_to_freeze_tasks")
        self.refrigerator = PoweredOff("refrigerator")

    async def process(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run what a process does in the kernel; not before it is thawed.

        Model: a process freezes on its way back to user space, and does nothing there here.
        """
        while self._frozen:
            await ops.park(self._kernel, self.refrigerator)
        self._busy += 1
        await body()
        self._busy -= 1
        ops.wake_all(self._kernel, self._left)

    async def freeze(self) -> int:
        """freeze_processes(): 0, or -EBUSY if one of them stays in the kernel for 20 s."""
        kernel = self._kernel
        self._frozen = True
        deadline_ns = kernel.now_ns() + FREEZE_TIMEOUT_MS * ops.NS_PER_MS
        while self._busy:
            if not await ops.park(kernel, self._left, deadline_ns=deadline_ns):
                break
        if not self._busy:
            return 0
        kernel.log("err", f"Freezing of tasks failed after 20 seconds ({self._busy} tasks)")
        self.thaw()
        return -EBUSY

    def thaw(self) -> None:
        """thaw_processes()."""
        self._frozen = False
        ops.wake_all(self._kernel, self.refrigerator)
