# SPDX-License-Identifier: MIT
"""One virtual CPU: what is on it, and what may interrupt what.

The rules are Linux's: a hard interrupt runs to its end; a softirq yields only to hard interrupts
and runs before the thread it interrupted goes on; a thread yields to another thread only where
preemption is on. Who is chosen among those allowed is not decided here.

Model: threads are preemptible wherever preempt_count is zero (CONFIG_PREEMPT), the most
permissive of Linux's models: an order it allows and the others do not is still a driver's bug.
"""

from __future__ import annotations

from enum import Enum

from guest.kernel.context import Context, Kind
from guest.kernel.pages import PAGE_BYTES
from protocol.ids import CpuId, VpIndex

NUMA_NO_NODE = -1


class Dead(Enum):
    """Stands where the running hard interrupt of an offline CPU would: nobody interrupts that."""

    PLAY_DEAD = "play_dead"


class Cpu:
    """State of one CPU. ``thread``, ``softirq`` and ``hardirq`` are the contexts on its stack.

    An offline CPU is in play_dead() with interrupts off for ever, so that it lets nobody run;
    ``online`` says so to those who ask at every turn.

    ``place`` is how traces call it: its index, in a second kernel after the kernel's number.
    ``input_page`` is hyperv_pcpu_input_arg, where hypercalls are written while interrupts are off:
    what a call does not fill in is still what the last one left there.
    """

    __slots__ = ("hardirq", "index", "input_page", "online", "place", "softirq", "softirqs_pending",
                 "thread", "vp")  # fmt: skip

    def __init__(self, index: CpuId, vp: VpIndex, place: str) -> None:
        self.index = index
        self.vp = vp
        self.place = place
        self.input_page = bytearray(PAGE_BYTES)
        self.clear()

    def clear(self) -> None:
        """Nothing is on it: it has just been started, or what ran there died."""
        self.online = True
        self.hardirq: Context | Dead | None = None
        self.softirq: Context | None = None
        self.thread: Context | None = None
        self.softirqs_pending: list[Context] = []  # in the order they were raised

    @property
    def running(self) -> Context | None:
        """Who is on it now, interrupted by nobody."""
        hardirq = self.hardirq
        if hardirq is not None:
            return None if hardirq is Dead.PLAY_DEAD else hardirq
        return self.softirq or self.thread

    def play_dead(self) -> None:
        """play_dead(): from here on nobody runs on it, and no interrupt gets in."""
        self.online = False
        self.hardirq = Dead.PLAY_DEAD

    def allows(self, context: Context) -> bool:
        """Whether a ready context of this CPU could go on now."""
        if self.hardirq is not None:
            return self.hardirq is context
        kind = context.kind
        if kind is Kind.HARDIRQ:
            top = self.softirq or self.thread
            return top is None or not top.irqs_off
        if self.softirq is not None:
            return self.softirq is context
        thread = self.thread
        open_to_softirqs = thread is None or not (thread.bh_off or thread.irqs_off)
        if self.softirqs_pending and open_to_softirqs:
            return self.softirqs_pending[0] is context
        if thread is None or thread is context:
            return kind is not Kind.SOFTIRQ
        return open_to_softirqs and not thread.preempt_off

    def switch_to(self, context: Context) -> None:
        """Put an allowed context on the CPU; a preempted thread simply is no longer on it."""
        kind = context.kind
        if kind is Kind.HARDIRQ:
            self.hardirq = context
        elif kind is Kind.SOFTIRQ:
            if self.softirq is not context:
                self.softirqs_pending.remove(context)
                self.softirq = context
        else:
            self.thread = context

    def leave(self, context: Context) -> None:
        """The context ended or went to sleep; one that spins or burns time stays."""
        if context is self.hardirq:
            self.hardirq = None
        elif context is self.softirq:
            self.softirq = None
        elif context is self.thread:
            self.thread = None
