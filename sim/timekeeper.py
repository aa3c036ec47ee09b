# SPDX-License-Identifier: MIT
"""Time for whoever runs contexts: deadlines, the host's actions, and how late a run may be.

A host action is due from the beginning of its window on. Nothing makes it run before others that
are ready; but time never goes beyond the end of the window of any action that is waiting. To let
time pass although something could run is possible, too, under a budget. Knows no order: what is due
becomes ready, and who goes next is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from guest.kernel.context import Context
from guest.kernel.kernel import Kernel
from sim.bounds import LOCKUP_NS, QUIET_MAX_NS, STALL_MAX_NS, Stuck, locked_up
from sim.deadlines import Deadlines, Handle
from sim.pollers import Pollers


class HostAction:
    """Something the host does by itself at a time: a reply, a timer. Runs without a CPU.

    ``latest_ns`` is the end of its window: time stands still there until it has run. ``number``
    counts the actions of a run.
    """

    __slots__ = ("action", "done", "handle", "latest_ns", "name", "number")

    cpu = None
    at = ""
    stop = 0

    def __init__(self, name: str, action: Callable[[], None], latest_ns: int, number: int) -> None:
        self.name = name
        self.number = number
        self.action = action
        self.latest_ns = latest_ns
        self.done = False
        self.handle: Handle = [self]


Runnable: TypeAlias = Context | HostAction


class Timekeeper:
    """The time of one run. ``time_ns`` is simulated; only this class writes it.

    ``_ready`` holds what could go on apart from the current context, longest runnable first.
    ``lates`` is how often the run may let time pass although something could run.
    """

    kernel: Kernel

    def __init__(self, lates: int) -> None:
        self._lates = lates
        self._stall_ns = STALL_MAX_NS  # how much of it is left
        self._late: bool | None = None  # what _may_be_late() found; None once that may have changed
        self._ready: list[Runnable] = []
        self._actions = 0  # so far
        self._deadlines = Deadlines()
        self._pollers = Pollers()
        self.env = self._deadlines.env
        self.time_ns = 0
        self.steps = 0
        self.progress_step = 0  # in which something last happened that a watcher calls progress
        self._progress_ns = 0  # the same, in time, as of the last advance
        self._advance_step = 0  # after which time last passed

    def wake(self, context: Context) -> None:
        """Make a waiting context ready."""
        raise NotImplementedError

    # --- what the guest kernel asks (guest.kernel.context.Scheduler) ---

    def now_ns(self) -> int:
        """Simulated time, nanoseconds."""
        return self.time_ns

    def wake_at(self, context: Context, at_ns: int) -> None:
        """Arm the context's deadline."""
        handle: Handle = [context]
        context.timer = handle
        self._arm(at_ns, handle)

    def wake_after(self, context: Context, delay_ns: int) -> None:
        """The same, so many nanoseconds from now, whatever time it is."""
        self.wake_at(context, self.time_ns + delay_ns)

    def _arm(self, at_ns: int, handle: Handle) -> None:
        self._deadlines.add(at_ns, handle)
        self._late = None
        if self._lates and at_ns <= self.time_ns + self._stall_ns:
            self.kernel.crowded = True

    # --- what the host asks (host.clock.Clock) ---

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        """Do ``action`` within the window from now; natural order takes its beginning.

        Returns what calls it off.
        """
        earliest_ns, latest_ns = window_ns
        host_action = HostAction(label, action, self.time_ns + latest_ns, self._actions)
        self._actions += 1
        self._arm(self.time_ns + earliest_ns, host_action.handle)
        return partial(self._call_off, host_action)

    def _call_off(self, action: HostAction) -> None:
        """It is no option any more, if it was one, and never will be."""
        action.handle[0] = None
        self._late = None
        if action in self._ready:
            self._ready.remove(action)

    # --- passing ---

    def _may_be_late(self) -> bool:
        """Whether the next deadline is within the budgets and no waiting action's window ends.

        Asked at every step, so the answer is kept while deadlines, host actions and time stay.
        """
        if self._late is None:
            self._late = self._lates > 0 and self._deadlines.earliest_ns() <= self._reach_ns()
        return self._late

    def _reach_ns(self) -> int:
        """Up to when time may pass while something could run."""
        reach_ns = self.time_ns + self._stall_ns
        for option in self._ready:
            if isinstance(option, HostAction) and option.latest_ns < reach_ns:
                reach_ns = option.latest_ns
        return reach_ns

    def _be_late(self) -> None:
        """Let time pass to the next deadline although something could run."""
        before_ns = self.time_ns
        self._lates -= 1
        self._advance()
        self._stall_ns -= self.time_ns - before_ns

    def _pass(self) -> bool:
        """Nothing can go on: let time pass to the next deadline; False if there is none.

        Raises Stuck where only pollers are left. What is due after the longest silence does not
        count: nobody will see it.
        """
        soon = self._deadlines.pending(self._progress_ns + QUIET_MAX_NS)
        if self._pollers.in_vain(soon, self.progress_step):
            self._give_up()
        return self._advance()

    def _give_up(self) -> None:
        """Those who are due will not find what they look for. A CPU that spins is called stuck
        when the watchdog would: what it does until then is left out."""
        pollers: list[Context] = list(self._deadlines.pending(self._progress_ns + QUIET_MAX_NS))
        for spinner in pollers:
            if spinner.busy_since_ns is not None:
                self.time_ns = spinner.busy_since_ns + LOCKUP_NS
                raise locked_up(spinner)
        if pollers and not self._ready:
            raise Stuck("whoever still wakes up looks in vain, again and again")

    def _advance(self) -> bool:
        """Let time pass to the next deadline; False if there is none."""
        now_ns = self._deadlines.advance()
        if now_ns is None:
            return False
        if self.progress_step > self._advance_step:
            self._progress_ns = self.time_ns
        self._advance_step = self.steps
        self.time_ns = now_ns
        self._late = None
        if self.time_ns - self._progress_ns > QUIET_MAX_NS:
            raise Stuck(f"nothing happened for {QUIET_MAX_NS // 10**9} s of simulated time")
        for target in self._deadlines.due(self.time_ns):
            if isinstance(target, HostAction):
                self._ready.append(target)
            else:
                self._pollers.woke(target, self.progress_step)
                self.wake(target)
        return True
