# SPDX-License-Identifier: MIT
"""Runs contexts over simulated time: time is simpy's, order is the chooser's.

A context runs from one trap to the next without interruption. At each moment the engine gathers
what could go on (each CPU's candidates, actors, due host actions) and, if there is more than one,
asks the chooser. When nothing can go on, time moves to the next deadline.

A host action is due from the beginning of its window on. Nothing makes it run before others that
are ready; but time never goes beyond the end of the window of any action that is waiting. To let
time pass although something could run is an option, too, under a budget: a run may be late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from guest.kernel.context import Context, Kind
from guest.kernel.faults import AtomicLeak
from guest.kernel.kernel import Kernel
from sim.choices import PASSING, Chooser, Option, Passing
from sim.deadlines import NEVER, Deadlines, Handle
from sim.pollers import Pollers


class Stuck(Exception):
    """The run goes on and gets nowhere; ``context`` names who keeps it busy."""

    def __init__(self, message: str, context: str = "everybody") -> None:
        super().__init__(message)
        self.context = context


class HostAction:
    """Something the host does by itself at a time: a reply, a timer. Runs without a CPU.

    ``latest_ns`` is the end of its window: time stands still there until it has run.
    """

    __slots__ = ("action", "done", "handle", "latest_ns", "name")

    cpu = None
    at = ""
    stop = 0

    def __init__(self, name: str, action: Callable[[], None], latest_ns: int) -> None:
        self.name = name
        self.action = action
        self.latest_ns = latest_ns
        self.done = False
        self.handle: Handle = [self]


STEPS_MAX = 20_000_000  # of one run: sixty-four devices need about 200,000
LOCKUP_NS = 20 * 10**9  # Linux's watchdog calls a CPU stuck after twice watchdog_thresh, 10 s
# Steps without an event and without time; sixty-four devices need 150. After so many the order
# becomes fair, so that who was only slow gets on; after as many again nobody will.
STILL_STEPS_MAX = 15_000
QUIET_MAX_NS = 600 * 10**9  # ten times the longest lawful silence, the host's 60 s of eject grace
# How long a run may be late in all. A second is far from the driver's and the host's own time-outs
# (10 s and 60 s), so that none of them expires for the scheduler's sake; "slow-host" is for that.
STALL_MAX_NS = 10**9

Runnable = Context | HostAction


class Engine:
    """The scheduler behind a :class:`Kernel` and the clock behind a host.

    ``_ready`` holds what could go on apart from the current context, longest runnable first. With
    ``chooser`` None the order is natural (index 0 everywhere) and nothing is asked.

    The kernel's ``crowded`` is kept true while a point could change anything. In natural order only
    a softirq raised on the current CPU can; with a chooser, anything else that is ready can, and so
    can time where it may pass.

    ``lates`` is how often a run may let time pass although something could run.
    """

    def __init__(self, chooser: Chooser | None = None, *, lates: int = 0) -> None:
        self._chooser = chooser
        self._lates = lates if chooser is not None else 0
        self._stall_ns = STALL_MAX_NS  # how much of it is left
        self._late: bool | None = None  # what _may_be_late() found; None once that may have changed
        self.kernel: Kernel
        self._ready: list[Runnable] = []
        self._deadlines = Deadlines()
        self._pollers = Pollers()
        self.env = self._deadlines.env
        self.time_ns = 0  # simulated; read it, only the engine writes it
        self.progress_step = 0  # in which something last happened that a watcher calls progress
        self._progress_ns = 0  # the same, in time, as of the last advance
        self._advance_step = 0  # after which time last passed
        self._contexts: dict[Context, None] = {}  # alive, in order of creation
        self._titles: Counter[str] = Counter()  # of the contexts so far, if somebody chooses
        self.current: Context | None = None
        self.steps = 0
        self.choices_made = 0

    # --- what the guest kernel asks (guest.kernel.context.Scheduler) ---

    def now_ns(self) -> int:
        """Simulated time, nanoseconds."""
        return self.time_ns

    def attach(self, kernel: Kernel) -> None:
        """This is the kernel whose ``current`` and ``crowded`` the engine keeps."""
        self.kernel = kernel

    def start(self, context: Context) -> None:
        """A new context: ready at once."""
        self._contexts[context] = None
        context.ready = True
        self._ready.append(context)
        if context.kind is Kind.SOFTIRQ:
            cpu = context.cpu
            assert cpu is not None, "softirqs run on a CPU"
            cpu.softirqs_pending.append(context)
            if self.current is not None and self.current.cpu is cpu:
                self.kernel.crowded = True  # it runs before the current context goes on
        if self._chooser is not None:
            self._name(context)
            self.kernel.crowded = True

    def _name(self, context: Context) -> None:
        """Make the name unique; in the same order of events it is the same every time."""
        title = context.title
        self._titles[title] += 1
        if self._titles[title] > 1:
            context.name = f"{title}#{self._titles[title]}"

    def wake(self, context: Context) -> None:
        """Make a waiting context ready; its pending deadline is forgotten."""
        if context.ready or context.done:
            return
        context.ready = True
        if context.timer is not None:
            context.timer[0] = None
            context.timer = None
            self._late = None
        self._ready.append(context)
        if self._chooser is not None:
            self.kernel.crowded = True

    def wake_at(self, context: Context, at_ns: int) -> None:
        """Arm the context's deadline."""
        handle: Handle = [context]
        context.timer = handle
        self._arm(at_ns, handle)

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
        host_action = HostAction(label, action, self.time_ns + latest_ns)
        self._arm(self.time_ns + earliest_ns, host_action.handle)
        return partial(self._call_off, host_action)

    def _call_off(self, action: HostAction) -> None:
        """It is no option any more, if it was one, and never will be."""
        action.handle[0] = None
        self._late = None
        if action in self._ready:
            self._ready.remove(action)

    # --- running ---

    def run(self) -> None:
        """Go on until nothing is left to do. Faults of the guest pass through.

        Raises :class:`Stuck` when a bound is exceeded; the contexts are then where they are, and
        the caller abandons them.
        """
        pick = self._first if self._chooser is None else self._choose
        resume = self._resume
        try:
            while True:
                chosen = pick()
                if chosen is not None:
                    resume(chosen)
                elif not self._advance():
                    return
        except Stuck:
            raise
        except BaseException:
            self.abandon()
            raise

    def abandon(self) -> None:
        """Drop the contexts wherever they are; guest code holds nothing that needs unwinding."""
        for context in self._contexts:
            context.coroutine.close()

    def waiting(self) -> list[Context]:
        """The contexts that have not ended, oldest first."""
        return list(self._contexts)

    def _first(self) -> Runnable | None:
        """Natural order: the current context if it can go on, else the longest runnable."""
        current = self.current
        if current is not None and (current.cpu is None or current.cpu.allows(current)):
            return current
        for option in self._ready:
            if option.cpu is None or option.cpu.allows(option):
                return option
        return None

    def _choose(self) -> Runnable | None:
        """Ask the chooser, if there is more than one option."""
        if self.steps - self.progress_step > STILL_STEPS_MAX and self._stands_still():
            return self._fairly()
        current = self.current
        options: list[Runnable | Passing] = []
        if current is not None and (current.cpu is None or current.cpu.allows(current)):
            options.append(current)
        options += [x for x in self._ready if x.cpu is None or x.cpu.allows(x)]
        if self._lates and options and self._may_be_late():
            options.append(PASSING)
        chosen = options[0] if options else None
        if len(options) > 1:
            chosen = options[self.ask(options)]
        if not isinstance(chosen, Passing):
            return chosen
        self._be_late()
        return self._choose()

    def _stands_still(self) -> bool:
        """Whether the chooser has had its chance to bring something about.

        Raises :class:`Stuck` if a fair order has had it, too.
        """
        still_steps = self.steps - max(self.progress_step, self._advance_step)
        if still_steps > 2 * STILL_STEPS_MAX:
            raise Stuck(f"nothing happened for {still_steps - 1} steps, and no time passed")
        return still_steps > STILL_STEPS_MAX

    def _fairly(self) -> Runnable | None:
        """Whoever could go on for the longest time; the current context comes last."""
        for option in self._ready:
            if option.cpu is None or option.cpu.allows(option):
                return option
        return self._first()

    def ask(self, options: Sequence[Option]) -> int:
        """Let the chooser decide between two options or more; the index of one."""
        assert self._chooser is not None, "only a chosen order asks"
        self.choices_made += 1
        return self._chooser.choose(options)

    def _may_be_late(self) -> bool:
        """Whether the next deadline is within the budget and no waiting action's window ends.

        Asked at every step, so the answer is kept while deadlines, host actions and time stay.
        """
        if self._late is None:
            self._late = self._deadlines.earliest_ns() <= self._reach_ns()
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

    def _resume(self, chosen: Runnable) -> None:
        """Let it run to its next trap. ``current`` is whoever is still ready after that."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Stuck(f"more than {STEPS_MAX} steps")
        previous = self.current
        if chosen is not previous:
            self._ready.remove(chosen)
            if previous is not None:
                self._ready.append(previous)
                self.current = None
        if isinstance(chosen, HostAction):
            chosen.done = True
            self._late = None
            chosen.action()
            return
        kernel = self.kernel
        self.current = kernel.current = chosen
        cpu = chosen.cpu
        if cpu is not None:
            cpu.switch_to(chosen)
        if self._chooser is not None:
            kernel.crowded = bool(self._ready) or (self._lates > 0 and self._may_be_late())
        else:
            kernel.crowded = cpu is not None and bool(cpu.softirqs_pending)
        try:
            chosen.at = chosen.coroutine.send(None)
        except StopIteration:
            self._finish(chosen)
            return
        chosen.stop = self.steps
        if not chosen.ready:
            self._park(chosen)

    def _park(self, context: Context) -> None:
        """The context waits: a sleeper leaves its CPU, one that spins or burns time stays."""
        self.current = None
        cpu = context.cpu
        if cpu is None:
            return
        if not context.atomic:
            cpu.leave(context)
            context.busy_since_ns = None
        elif context.busy_since_ns is None:
            context.busy_since_ns = self.time_ns
        elif self.time_ns - context.busy_since_ns > LOCKUP_NS:
            spent_s = LOCKUP_NS // 10**9
            raise Stuck(f"CPU#{cpu.index} stuck for {spent_s} s: {context.name}", context.label)

    def _finish(self, context: Context) -> None:
        self.current = None
        if context.held or context.preempt_off or context.irqs_off or context.bh_off:
            raise AtomicLeak(f"{context.name} ended holding {context.held!r}, or still atomic")
        context.done = True
        context.ready = False
        del self._contexts[context]
        if context.cpu is not None:
            context.cpu.leave(context)
        if context.joiner is not None:
            self.wake(context.joiner)

    def _advance(self) -> bool:
        """Let time pass to the next deadline; False if there is none."""
        if self._deadlines.earliest_ns() == NEVER:
            return False
        if self.progress_step > self._advance_step:
            self._progress_ns = self.time_ns
        self._advance_step = self.steps
        self.time_ns = self._deadlines.advance()
        self._late = None
        if self.time_ns - self._progress_ns > QUIET_MAX_NS:
            raise Stuck(f"nothing happened for {QUIET_MAX_NS // 10**9} s of simulated time")
        if self._pollers.in_vain(self._deadlines.pending()):
            raise Stuck("whoever still wakes up looks in vain, again and again")
        for target in self._deadlines.due(self.time_ns):
            if isinstance(target, HostAction):
                self._ready.append(target)
            else:
                if target.busy_since_ns is None:  # else the lockup detector sees it
                    self._pollers.woke(target, self.progress_step)
                self.wake(target)
        return True
