# SPDX-License-Identifier: MIT
"""Read-copy-update: what readers may still look at is freed when they have gone.

Knows neither what is read nor who reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.memory import Allocated

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


class Rcu:
    """The readers of one subsystem, and what waits for them.

    Model: a grace period ends at the moment when no reader at all is inside, hence at once where
    there is none; Linux waits longer, but nobody may count on that.
    """

    __slots__ = ("_kernel", "_readers", "_waiting")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._readers = 0
        self._waiting: list[Allocated] = []

    def read_lock(self) -> None:
        """rcu_read_lock()."""
        self._readers += 1

    def read_unlock(self) -> None:
        """rcu_read_unlock(); the last reader out lets go what waited."""
        self._readers -= 1
        if not self._readers and self._waiting:
            going, self._waiting = self._waiting, []
            for obj in going:
                self._kernel.heap.free(obj)

    async def kfree_rcu(self, obj: Allocated) -> None:
        """kfree_rcu(): free after a grace period; a scheduling point, as kfree() is."""
        if not self._readers:
            await self._kernel.kfree(obj)
            return
        self._waiting.append(obj)
        if self._kernel.crowded:
            await ops.offer(self._kernel, "kfree_rcu")
