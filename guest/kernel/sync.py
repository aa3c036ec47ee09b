# SPDX-License-Identifier: MIT
"""Locks and completions of the guest kernel, under Linux's names.

Taking *and releasing* a lock is a scheduling point: without the second the classic races between
an unlock and the next read never show. Objects of this module may live on a context's stack; see
``memory.StackFrame``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.context import Context, WaitQueue
from guest.kernel.faults import LockMisuse, SleepInAtomic
from guest.kernel.memory import Allocated

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel


@lru_cache(maxsize=256)  # a few dozen names of locks; thousands of locks
def _points(name: str) -> tuple[str, str]:
    """The names of a lock's two scheduling points."""
    return f"lock {name}", f"unlock {name}"


class SpinLock(Allocated):
    """spinlock_t: the holder is atomic, a contender keeps its CPU while it waits.

    With ``fine`` the lock's points exist only in fine-grained exploration: they multiply without
    telling anything.
    """

    __slots__ = ("_contenders", "_fine", "_kernel", "_points", "name", "owner")

    def __init__(self, kernel: Kernel, name: str, *, fine: bool = False) -> None:
        self._kernel = kernel
        self.name = name
        self._fine = fine
        self._points = _points(name)
        self.owner: Context | None = None
        self._contenders = WaitQueue(name)

    async def lock(self) -> None:
        """spin_lock()."""
        kernel = self._kernel
        if kernel.crowded and (not self._fine or kernel.fine):
            await ops.offer(kernel, self._points[0])
        current = kernel.current
        current.preempt_off += 1
        while self.owner is not None:
            await self._contend(current)
        self.owner = current
        current.held.append(self)

    async def unlock(self) -> None:
        """spin_unlock()."""
        kernel = self._kernel
        self._release(kernel.current)
        kernel.current.preempt_off -= 1
        if kernel.crowded and (not self._fine or kernel.fine):
            await ops.offer(kernel, self._points[1])

    async def lock_irqsave(self) -> None:
        """spin_lock_irqsave(); the flags are the context's own depth counter."""
        kernel = self._kernel
        if kernel.crowded and (not self._fine or kernel.fine):
            await ops.offer(kernel, self._points[0])
        current = kernel.current
        current.irqs_off += 1
        while self.owner is not None:
            await self._contend(current)
        self.owner = current
        current.held.append(self)

    async def unlock_irqrestore(self) -> None:
        """spin_unlock_irqrestore()."""
        kernel = self._kernel
        self._release(kernel.current)
        kernel.current.irqs_off -= 1
        if kernel.crowded and (not self._fine or kernel.fine):
            await ops.offer(kernel, self._points[1])

    async def lock_bh(self) -> None:
        """spin_lock_bh()."""
        self._kernel.current.bh_off += 1
        await self.lock()

    async def unlock_bh(self) -> None:
        """spin_unlock_bh(); softirqs that were held off run from here on."""
        kernel = self._kernel
        self._release(kernel.current)
        kernel.current.preempt_off -= 1
        ops.forbid_softirqs_with_irqs_off(kernel)
        kernel.current.bh_off -= 1
        if kernel.crowded:
            await ops.offer(kernel, self._points[1])

    async def _contend(self, current: Context) -> None:
        if self.owner is current:
            raise LockMisuse(f"{current.name} takes {self.name} which it already holds")
        await ops.park(self._kernel, self._contenders, wants=self)

    def _release(self, current: Context) -> None:
        if self.owner is not current:
            raise LockMisuse(f"{current.name} releases {self.name} which it does not hold")
        self.owner = None
        current.held.remove(self)
        if self._contenders.waiters:
            ops.wake_one(self._kernel, self._contenders)

    def __repr__(self) -> str:
        return self.name


class Mutex(Allocated):
    """struct mutex: sleeps until it is free."""

    __slots__ = ("_kernel", "_points", "_sleepers", "name", "owner")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self.name = name
        self._points = _points(name)
        self.owner: Context | None = None
        self._sleepers = WaitQueue(name)

    @property
    def locked(self) -> bool:
        """mutex_is_locked()."""
        return self.owner is not None

    async def lock(self) -> None:
        """mutex_lock()."""
        kernel = self._kernel
        if kernel.current.atomic:
            raise SleepInAtomic(f"mutex_lock({self.name}) in atomic {kernel.current.name}")
        if kernel.crowded:
            await ops.offer(kernel, self._points[0])
        current = kernel.current
        while self.owner is not None:
            if self.owner is current:
                raise LockMisuse(f"{current.name} takes {self.name} which it already holds")
            await ops.park(kernel, self._sleepers, wants=self)
        self.owner = current
        current.held.append(self)

    async def unlock(self) -> None:
        """mutex_unlock()."""
        kernel = self._kernel
        current = kernel.current
        if self.owner is not current:
            raise LockMisuse(f"{current.name} releases {self.name} which it does not hold")
        self.owner = None
        current.held.remove(self)
        if self._sleepers.waiters:
            ops.wake_one(kernel, self._sleepers)
        if kernel.crowded:
            await ops.offer(kernel, self._points[1])

    def __repr__(self) -> str:
        return self.name


class Completion(Allocated):
    """struct completion: a counter of events that were not waited for yet."""

    __slots__ = ("_kernel", "_waiters", "count", "name")

    def __init__(self, kernel: Kernel, name: str) -> None:
        self._kernel = kernel
        self.name = name
        self.count = 0
        self._waiters = WaitQueue(name)

    def reinit(self) -> None:
        """reinit_completion()."""
        self.count = 0

    def done(self) -> bool:
        """completion_done()."""
        return self.count > 0

    async def complete(self) -> None:
        """Let one waiter through, now or later."""
        self.count += 1
        ops.wake_one(self._kernel, self._waiters)
        if self._kernel.crowded:
            await ops.offer(self._kernel, "complete " + self.name)

    async def wait(self, *, by: Context | None = None) -> None:
        """wait_for_completion(). ``by`` is who completes it, where that is sure to be one."""
        ops.forbid_sleep(self._kernel, "wait_for_completion", self.name)
        while self.count == 0:
            await ops.park(self._kernel, self._waiters, wants=by)
        self.count -= 1

    def try_wait(self) -> bool:
        """try_wait_for_completion(): take one event if there is one; never sleeps."""
        if self.count == 0:
            return False
        self.count -= 1
        return True

    async def wait_timeout(self, timeout_ms: int) -> bool:
        """wait_for_completion_timeout(): True if completed, False after ``timeout_ms``."""
        kernel = self._kernel
        ops.forbid_sleep(kernel, "wait_for_completion_timeout", self.name)
        deadline_ns = kernel.now_ns() + timeout_ms * ops.NS_PER_MS
        while self.count == 0:
            if not await ops.park(kernel, self._waiters, deadline_ns=deadline_ns):
                break
        return self.try_wait()

    def __repr__(self) -> str:
        return self.name
