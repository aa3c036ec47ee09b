# SPDX-License-Identifier: MIT
"""A host's clock where nobody chooses orders: what is due runs at the start of its window.

Stands behind a :class:`~host.partition.Partition` that has no simulated kernel opposite it. Time is
simpy's; nothing here waits for real.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from host.clock import Cancel
from sim.deadlines import Deadlines, Handle

SETTLE_NS: Final = 1_000_000_000  # longer than any reply, shorter than the host's patience


class BenchClock:
    """Simulated time that moves only when it is run; implements the host's ``Clock``."""

    def __init__(self) -> None:
        self._deadlines = Deadlines()
        self._now_ns = 0

    def now_ns(self) -> int:
        """Nanoseconds since the beginning."""
        return self._now_ns

    def later(self, window_ns: tuple[int, int], label: str, action: Callable[[], None]) -> Cancel:
        """Run ``action`` at the start of its window; ``label`` is for those who choose."""
        del label
        handle: Handle = [action]
        self._deadlines.add(self._now_ns + window_ns[0], handle)

        def cancel() -> None:
            handle[0] = None

        return cancel

    def run(self, for_ns: int = SETTLE_NS) -> None:
        """Do what is due within so many nanoseconds; time stops at the last of it."""
        until_ns = self._now_ns + for_ns
        while self._deadlines.earliest_ns() <= until_ns:
            now_ns = self._deadlines.advance()
            assert now_ns is not None, "something is due"
            self._now_ns = now_ns
            for action in self._deadlines.due(now_ns):
                action()

    def pass_time(self, for_ns: int) -> None:
        """Do what is due within so many nanoseconds, and let all of them pass."""
        self.run_until(self._now_ns + for_ns)

    def run_until(self, until_ns: int) -> None:
        """Do what is due by then, when it is that time."""
        self.run(until_ns - self._now_ns)
        self._now_ns = until_ns
