# SPDX-License-Identifier: MIT
"""What is due and when, on simpy's clock. Knows neither who waits nor what happens then.

Deadlines wait in one heap and only the earliest is armed in simpy, so that a wait that ends early
costs nothing. Each is a handle, a list of one: whoever empties it has called the deadline off.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Any

import simpy

NEVER = float("inf")

Handle = list[Any]  # [what is due], or [None] once it was called off


class Deadlines:
    """The heap and the clock. ``env`` is simpy's, for whoever has processes of its own."""

    __slots__ = ("_heap", "_sequence", "env")

    def __init__(self) -> None:
        self.env = simpy.Environment()
        self._heap: list[tuple[int, int, Handle]] = []
        self._sequence = 0

    def add(self, at_ns: int, handle: Handle) -> None:
        """Due at that time; of two at one time the older comes first."""
        self._sequence += 1
        heappush(self._heap, (at_ns, self._sequence, handle))

    def earliest_ns(self) -> float:
        """When the next one is due, here or in simpy; NEVER if there is none."""
        heap = self._heap
        while heap and heap[0][2][0] is None:
            heappop(heap)
        simpy_ns = self.env.peek()
        return heap[0][0] if heap and heap[0][0] < simpy_ns else simpy_ns

    def advance(self) -> int | None:
        """Let time pass to :meth:`earliest_ns`; the time it is then, or None if that is NEVER."""
        env = self.env
        at_ns = self.earliest_ns()
        if at_ns == NEVER:
            return None
        delay_ns = at_ns - env.now
        if delay_ns > 0 and at_ns < env.peek():
            env.timeout(delay_ns)
        if env.peek() <= at_ns:
            env.step()
        return int(env.now)

    def pending(self, until_ns: int) -> Iterator[Any]:
        """What is due by then, in no order."""
        return (
            handle[0]
            for at_ns, _, handle in self._heap
            if handle[0] is not None and at_ns <= until_ns
        )

    def due(self, now_ns: int) -> Iterator[Any]:
        """Take out what is due by now, in order."""
        heap = self._heap
        while heap and heap[0][0] <= now_ns:
            target = heappop(heap)[2][0]
            if target is not None:
                yield target
