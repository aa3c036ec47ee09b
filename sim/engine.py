# SPDX-License-Identifier: MIT
"""Runs contexts over simulated time: time is simpy's, order is the chooser's.

A context runs from one trap to the next without interruption. At each moment the engine gathers
what could go on (each CPU's candidates, actors, due host actions) and, if there is more than one,
asks the chooser. When nothing can go on, time moves to the next deadline. Deadlines wait in one
heap and only the earliest is armed in simpy, so that a wait that ends early costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import simpy

from guest.kernel.context import Context, Kind
from guest.kernel.cpu import Cpu
from guest.kernel.kernel import Kernel
from sim.choices import Chooser


class Stuck(Exception):
    """The run made more steps or took more time than any sound run of its scenario could."""


class HostAction:
    """Something the host does by itself at a time: a reply, a timer. Runs without a CPU."""

    __slots__ = ("action", "cancelled", "name", "ready_seq")

    def __init__(self, name: str, action: Callable[[], None]) -> None:
        self.name = name
        self.action = action
        self.cancelled = False
        self.ready_seq = 0


STEPS_MAX = 20_000_000  # of one run: sixty-four devices need about 200,000
QUIET_MAX_NS = 600 * 10**9  # ten times the longest lawful silence, the host's 60 s of eject grace


class Engine:
    """The scheduler behind a :class:`Kernel` and the clock behind a host.

    With ``chooser`` None the order is natural (index 0 everywhere) and nothing is asked.
    """

    def __init__(self, chooser: Chooser | None = None) -> None:
        self.env = simpy.Environment()
        self._chooser = chooser
        self._kernels: list[Kernel] = []
        self._cpus: dict[int, Cpu] = {}  # those with something on them, by id()
        self._loose: list[Context | HostAction] = []  # ready actors and due host actions
        self._deadlines: list[tuple[int, int, list[Any]]] = []
        self._sequence = 0
        self._now_ns = 0
        self._last_progress_ns = 0
        self._contexts: dict[Context, None] = {}  # alive, in order of creation
        self.current: Context | None = None
        self.steps = 0

    # --- what the guest kernel asks (guest.kernel.context.Scheduler) ---

    def now_ns(self) -> int:
        """Simulated time, nanoseconds."""
        return self._now_ns

    def attach(self, kernel: Kernel) -> None:
        """Tell this kernel which context is current from now on."""
        self._kernels.append(kernel)

    def start(self, context: Context) -> None:
        """A new context: ready at once."""
        self._contexts[context] = None
        self.wake(context)

    def wake(self, context: Context) -> None:
        """Make a waiting context ready; its pending deadline is forgotten."""
        if context.ready or context.done:
            return
        context.ready = True
        if context.timer is not None:
            context.timer[0] = None
            context.timer = None
        self._sequence += 1
        context.ready_seq = self._sequence
        cpu = context.cpu
        if cpu is None:
            self._loose.append(context)
        else:
            cpu.enqueue(context)
            self._cpus[id(cpu)] = cpu
        self._crowd()

    def wake_at(self, context: Context, at_ns: int) -> None:
        """Arm the context's deadline."""
        handle: list[Any] = [context]
        context.timer = handle
        self._sequence += 1
        heappush(self._deadlines, (at_ns, self._sequence, handle))

    # --- what the host asks (host.clock.Clock) ---

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        """Do ``action`` within the window from now; natural order takes its beginning."""
        host_action = HostAction(label, action)
        self._sequence += 1
        at_ns = self._now_ns + window_ns[0]
        heappush(self._deadlines, (at_ns, self._sequence, [host_action]))

        def cancel() -> None:
            host_action.cancelled = True

        return cancel

    # --- running ---

    def run(self) -> None:
        """Go on until nothing is left to do. Faults of the guest pass through.

        Raises :class:`Stuck` when a bound is exceeded.
        """
        try:
            while True:
                chosen = self._next()
                if chosen is not None:
                    self._resume(chosen)
                elif not self._advance():
                    return
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop the contexts wherever they are; guest code holds nothing that needs unwinding."""
        for context in self._contexts:
            context.coroutine.close()

    def progress(self) -> None:
        """Something happened that a watcher would call progress (every emitted event does)."""
        self._last_progress_ns = self._now_ns

    def waiting(self) -> list[Context]:
        """The contexts that have not ended, oldest first."""
        return list(self._contexts)

    def _next(self) -> Context | HostAction | None:
        options = self._options()
        if not options:
            return None
        if len(options) == 1 or self._chooser is None:
            return options[0]
        return options[self._chooser.choose([option.name for option in options])]

    def _options(self) -> list[Context | HostAction]:
        """Everything that could go on: the current context first, then the longest ready."""
        found: list[Any] = [
            x for x in self._loose if not isinstance(x, HostAction) or not x.cancelled
        ]
        idle = []
        for key, cpu in self._cpus.items():
            before = len(found)
            cpu.candidates(found)
            if len(found) == before and cpu.idle:
                idle.append(key)
        for key in idle:
            del self._cpus[key]
        if len(found) > 1:
            current = self.current
            found.sort(key=lambda x: -1 if x is current else x.ready_seq)
        return found

    def _resume(self, chosen: Context | HostAction) -> None:
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Stuck(f"more than {STEPS_MAX} steps")
        if isinstance(chosen, HostAction):
            self._loose.remove(chosen)
            self._crowd()
            chosen.action()
            return
        if chosen.cpu is not None:
            chosen.cpu.switch_to(chosen)
        else:
            self._loose.remove(chosen)
        self._enter(chosen)
        try:
            chosen.coroutine.send(None)
        except StopIteration:
            self._finish(chosen)
            return
        self._after_trap(chosen)

    def _enter(self, context: Context) -> None:
        self.current = context
        for kernel in self._kernels:
            kernel.current = context
        self._crowd()

    def _after_trap(self, context: Context) -> None:
        if context.ready:
            if context.cpu is None:
                self._loose.append(context)
            return
        cpu = context.cpu
        holds_cpu = context.preempt_off or context.irqs_off or context.bh_off
        if cpu is not None and not holds_cpu and context.kind in (Kind.THREAD, Kind.WORK):
            cpu.leave(context)

    def _finish(self, context: Context) -> None:
        context.done = True
        context.ready = False
        del self._contexts[context]
        if context.cpu is not None:
            context.cpu.leave(context)
        for joiner in context.wakeups:
            self.wake(joiner)

    def _crowd(self) -> None:
        """Keep the kernels' ``crowded`` true exactly while a point could change anything.

        In natural order only a softirq raised on the current CPU can: it runs before the thread
        goes on. With a chooser, anything else that is ready can.
        """
        current = self.current
        if self._chooser is None:
            crowded = (
                current is not None
                and current.cpu is not None
                and bool(current.cpu.softirqs_pending)
            )
        else:
            crowded = bool(self._loose) or any(
                cpu.hardirqs_pending
                or cpu.softirqs_pending
                or cpu.run_queue
                or (cpu.thread is not None and cpu.thread is not current and cpu.thread.ready)
                or (cpu.softirq is not None and cpu.softirq is not current and cpu.softirq.ready)
                or (cpu.hardirq is not None and cpu.hardirq is not current and cpu.hardirq.ready)
                for cpu in self._cpus.values()
            )
        for kernel in self._kernels:
            kernel.crowded = crowded

    def _advance(self) -> bool:
        """Let time pass to the next deadline; False if there is none."""
        deadlines = self._deadlines
        while deadlines and not _alive(deadlines[0][2]):
            heappop(deadlines)
        simpy_ns = self.env.peek()
        if deadlines and deadlines[0][0] < simpy_ns:
            if deadlines[0][0] > self._now_ns:
                self.env.timeout(deadlines[0][0] - self._now_ns)
                self.env.step()
        elif simpy_ns != float("inf"):
            self.env.step()
        else:
            return False
        self._now_ns = int(self.env.now)
        if self._now_ns - self._last_progress_ns > QUIET_MAX_NS:
            raise Stuck(f"nothing happened for {QUIET_MAX_NS // 10**9} s of simulated time")
        self._fire_due()
        return True

    def _fire_due(self) -> None:
        deadlines = self._deadlines
        while deadlines and deadlines[0][0] <= self._now_ns:
            target = heappop(deadlines)[2][0]
            if isinstance(target, HostAction):
                if not target.cancelled:
                    self._sequence += 1
                    target.ready_seq = self._sequence
                    self._loose.append(target)
            elif target is not None:
                target.timer = None
                self.wake(target)
        self._crowd()


def _alive(handle: list[Any]) -> bool:
    target = handle[0]
    return target is not None and not (isinstance(target, HostAction) and target.cancelled)
