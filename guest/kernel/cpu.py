# SPDX-License-Identifier: MIT
"""One virtual CPU: what runs on it, what waits for it, and what may interrupt what.

The rules are Linux's: a hard interrupt runs to its end; a softirq yields only to hard interrupts
and runs before the thread it interrupted goes on; a thread yields to another thread only where
preemption is on. Who is chosen among the candidates is not decided here.

Model: threads are preemptible wherever preempt_count is zero (CONFIG_PREEMPT), the most
permissive of Linux's models: an order it allows and the others do not is still a driver's bug.
"""

from __future__ import annotations

from guest.kernel.context import Context, Kind
from protocol.ids import CpuId, VpIndex


class Cpu:
    """State of one CPU. ``thread``, ``softirq`` and ``hardirq`` are the contexts on its stack."""

    __slots__ = (
        "hardirq",
        "hardirqs_pending",
        "index",
        "online",
        "run_queue",
        "softirq",
        "softirqs_pending",
        "thread",
        "vp",
    )

    def __init__(self, index: CpuId, vp: VpIndex) -> None:
        self.index = index
        self.vp = vp
        self.online = True
        self.hardirq: Context | None = None
        self.softirq: Context | None = None
        self.thread: Context | None = None
        self.hardirqs_pending: list[Context] = []
        self.softirqs_pending: list[Context] = []
        self.run_queue: list[Context] = []

    @property
    def idle(self) -> bool:
        """True if nothing is on the CPU or waits for it."""
        return not (
            self.thread
            or self.softirq
            or self.hardirq
            or self.run_queue
            or self.softirqs_pending
            or self.hardirqs_pending
        )

    def enqueue(self, context: Context) -> None:
        """A new or woken context wants this CPU."""
        if context in (self.thread, self.softirq, self.hardirq):
            return  # it spun or burnt time here and never left
        if context.kind is Kind.HARDIRQ:
            self.hardirqs_pending.append(context)
        elif context.kind is Kind.SOFTIRQ:
            self.softirqs_pending.append(context)
        else:
            self.run_queue.append(context)

    def candidates(self, found: list[Context]) -> None:
        """Append the contexts that this CPU could run next."""
        if self.hardirq is not None:
            if self.hardirq.ready:
                found.append(self.hardirq)
            return
        top = self.softirq or self.thread
        if self.hardirqs_pending and (top is None or not top.irqs_off):
            found.append(self.hardirqs_pending[0])
        if self.softirq is not None:
            if self.softirq.ready:
                found.append(self.softirq)
            return
        self._below_softirq(found)

    def _below_softirq(self, found: list[Context]) -> None:
        thread = self.thread
        if thread is None:
            found.extend(self.softirqs_pending[:1] or self.run_queue)
            return
        open_to_softirqs = not thread.bh_off and not thread.irqs_off
        if self.softirqs_pending and open_to_softirqs:
            found.append(self.softirqs_pending[0])
            return
        if thread.ready:
            found.append(thread)
        if open_to_softirqs and not thread.preempt_off:
            found.extend(self.run_queue)

    def switch_to(self, context: Context) -> None:
        """Put a candidate on the CPU; a preempted thread goes back to the run queue."""
        if context in (self.thread, self.softirq, self.hardirq):
            return
        if context.kind is Kind.HARDIRQ:
            self.hardirqs_pending.remove(context)
            self.hardirq = context
        elif context.kind is Kind.SOFTIRQ:
            self.softirqs_pending.remove(context)
            self.softirq = context
        else:
            self.run_queue.remove(context)
            if self.thread is not None:
                self.run_queue.append(self.thread)
            self.thread = context

    def leave(self, context: Context) -> None:
        """The context ended or went to sleep; one that spins or burns time stays."""
        if context is self.hardirq:
            self.hardirq = None
        elif context is self.softirq:
            self.softirq = None
        elif context is self.thread:
            self.thread = None
