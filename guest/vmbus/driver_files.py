# SPDX-License-Identifier: MIT
"""The files ``bind`` and ``unbind`` of the drivers of a bus: when they are there, and who writes.

After bus_add_driver() and bus_remove_driver(): they come last and go first. Knows not what is
written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import ENOENT
from typing import TYPE_CHECKING, TypeAlias

from guest.kernel import ops
from guest.kernel.context import WaitQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import HvDevice, HvDriver

Store: TypeAlias = "Callable[[HvDevice, HvDriver], Awaitable[int]]"


class BindFiles:
    """``_writers`` has a driver once for each write that is under way: its files go when there is
    none left (kernfs_drain()).
    """

    __slots__ = ("_drained", "_kernel", "_there", "_writers")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._there: list[HvDriver] = []
        self._writers: list[HvDriver] = []
        self._drained = WaitQueue("kernfs_drain")

    def add(self, driver: HvDriver) -> None:
        """add_bind_files()."""
        self._there.append(driver)

    def has(self, driver: HvDriver) -> bool:
        """Whether there are such files."""
        return driver in self._there

    async def remove(self, driver: HvDriver) -> None:
        """remove_bind_files(): waits for whoever is writing."""
        self._there.remove(driver)
        while driver in self._writers:
            await ops.park(self._kernel, self._drained)

    async def write(self, driver: HvDriver, device: HvDevice, store: Store) -> int:
        """Open, write, close. -ENOENT where there is no such file."""
        if not self.has(driver):
            return -ENOENT
        self._writers.append(driver)
        error = await store(device, driver)
        self._writers.remove(driver)
        ops.wake_all(self._kernel, self._drained)
        return error
