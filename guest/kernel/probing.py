# SPDX-License-Identifier: MIT
"""Which probes are under way, and those put off while the machine hibernates. Knows no bus.

After defer_all_probes, probe_count and the deferred list of drivers/base/dd.c, one for all buses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from guest.kernel import ops
from guest.kernel.context import WaitQueue
from guest.kernel.work import Work, WorkQueue

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

EPROBE_DEFER: Final = 517

Retry = Callable[[], Awaitable[object]]


class Probing:
    """``deferring`` turns every probe away; ``begin`` and ``end`` stand around one that is let in.

    A device that was turned away is tried again by a worker, oldest first, unless it goes first.
    """

    __slots__ = ("_deferred", "_idle", "_kernel", "_queue", "_running", "deferring")

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._queue = WorkQueue(kernel, "deferred_probe")
        self._idle = WaitQueue("wait_for_device_probe")
        self._deferred: dict[object, Retry] = {}
        self._running = 0
        self.deferring = False

    def begin(self) -> None:
        """A probe begins."""
        self._running += 1

    def end(self) -> None:
        """A probe has ended, well or not."""
        self._running -= 1
        ops.wake_all(self._kernel, self._idle)

    def put_off(self, device: object, retry: Retry) -> int:
        """driver_deferred_probe_add(): -EPROBE_DEFER, and ``retry()`` once probing is on again."""
        self._deferred[device] = retry
        return -EPROBE_DEFER

    def forget(self, device: object) -> None:
        """driver_deferred_probe_del(): the device goes."""
        self._deferred.pop(device, None)

    async def block(self) -> None:
        """device_block_probing(): when it returns no probe is under way, and none begins."""
        self.deferring = True
        ops.forbid_sleep(self._kernel, "wait_for_device_probe")
        while self._running:
            await ops.park(self._kernel, self._idle)

    async def unblock(self) -> None:
        """device_unblock_probing()."""
        self.deferring = False
        if self._deferred:
            await self._queue.queue(Work("deferred_probe_work_func", self._probe_deferred))

    async def _probe_deferred(self, _: Work) -> None:
        while self._deferred and not self.deferring:
            device = next(iter(self._deferred))
            await self._deferred.pop(device)()
