# SPDX-License-Identifier: MIT
"""A lock that many may read under and one may write under: percpu_rw_semaphore of Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import WaitQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


class PercpuRwSem:
    """struct percpu_rw_semaphore. Once a writer waits no more readers get in.

    Model: reading is no scheduling point where nobody writes, for nobody could tell. Whoever writes
    sees to it that no other does.
    """

    __slots__ = ("_kernel", "_readers", "_waiters", "_writing")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self._readers = 0
        self._writing = False
        self._waiters = WaitQueue(name)

    async def down_read(self) -> None:
        """percpu_down_read(). May sleep."""
        while self._writing:
            await ops.park(self._kernel, self._waiters)
        self._readers += 1

    def up_read(self) -> None:
        """percpu_up_read()."""
        self._readers -= 1
        if not self._readers:
            ops.wake_all(self._kernel, self._waiters)

    async def down_write(self) -> None:
        """percpu_down_write(): the readers inside come to their end first. May sleep."""
        self._writing = True
        while self._readers:
            await ops.park(self._kernel, self._waiters)

    def up_write(self) -> None:
        """percpu_up_write()."""
        self._writing = False
        ops.wake_all(self._kernel, self._waiters)
