# SPDX-License-Identifier: MIT
"""Runs contexts over simulated time: time is simpy's, order is the chooser's.

A context runs from one trap to the next without interruption. At each moment the engine gathers
what could go on (each CPU's candidates, actors, due host actions) and, if there is more than one,
asks the chooser. When nothing can go on, time moves to the next deadline.
To let time pass although something could run is an option, too, within bounds (``timekeeper``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from guest.kernel.context import Context, Kind
from guest.kernel.cpu import Cpu
from guest.kernel.faults import AtomicLeak
from guest.kernel.kernel import Kernel
from sim.bounds import LOCKUP_NS, STEPS_MAX, STILL_STEPS_MAX, Stuck, locked_up, too_many_steps
from sim.choices import PASSING, Chooser, Option, Passing
from sim.timekeeper import HostAction, Runnable, Timekeeper


class Engine(Timekeeper):
    """The scheduler behind a :class:`Kernel` and the clock behind a host.

    With ``chooser`` None the order is natural (index 0 everywhere) and nothing is asked.

    The kernel's ``crowded`` is kept true while a point could change anything. In natural order only
    a softirq raised on the current CPU can; with a chooser, anything else that is ready can, and so
    can time where it may pass.
    """

    ask: Callable[[Sequence[Option]], int]  # decides between two options or more, if somebody does

    def __init__(
        self,
        chooser: Chooser | None = None,
        *,
        lates: int = 0,
        titles: Counter[str] | None = None,
    ) -> None:
        """``titles`` counts those of contexts; given, it goes on from another engine's, so that no
        name is in both."""
        super().__init__(0 if chooser is None else lates)
        self._chooser = chooser
        if chooser is not None:
            self.ask = chooser.choose
        self._picked: Runnable | None = None  # at the current context's point, to go on instead
        self._contexts: dict[Context, None] = {}  # alive, in order of creation
        # Of the contexts so far, if somebody chooses.
        self._titles = Counter[str]() if titles is None else titles
        self.current: Context | None = None

    # --- what the guest kernel asks (guest.kernel.context.Scheduler) ---

    def attach(self, kernel: Kernel) -> None:
        """This is the kernel whose ``current`` and ``crowded`` the engine keeps."""
        self.kernel = kernel

    def start(self, context: Context) -> None:
        """A new context: ready at once."""
        assert context.cpu is None or context.cpu.online, f"{context.name} on an offline CPU"
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

    def contexts_of(self, cpu: Cpu) -> list[Context]:
        """The contexts bound to that CPU, oldest first."""
        return [context for context in self._contexts if context.cpu is cpu]

    def drop(self, context: Context) -> None:
        """Forget a context that has not begun."""
        assert context.at == "start", f"{context.name} has begun"
        context.coroutine.close()
        context.done = True
        del self._contexts[context]
        self._ready.remove(context)

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

    def goes_on(self, point: str) -> bool:
        """Whether the current context goes on at this point: a step that needs no resuming.

        Whoever goes on instead is remembered until the context has suspended. In natural order a
        point is crowded by a softirq, which mostly goes first.
        """
        if self._chooser is None:
            return False
        current = self.current
        assert current is not None, "only who runs comes to a point"
        current.at = point
        current.stop = self.steps
        picked = self._choose()
        if picked is not current:
            self._picked = picked
            return False
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise too_many_steps()
        self.kernel.crowded = bool(self._ready) or self._may_be_late()
        return True

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
                chosen = self._picked or pick()
                self._picked = None
                if chosen is not None:
                    resume(chosen)
                elif not self._pass():
                    return
        except Stuck:
            raise
        except BaseException:
            self.abandon()
            raise

    def halt(self) -> None:
        """The kernel has died: whoever is on a CPU ends where he stands, and unwinds nothing.

        Outsiders who wait for the end of one of those go on.
        """
        assert self.current is None or self.current.cpu is None, "a kernel is killed from outside"
        dead = [context for context in self._contexts if context.cpu is not None]
        for context in dead:
            context.done = True
            context.ready = False
            if context.timer is not None:
                context.timer[0] = None
                context.timer = None
            context.coroutine.close()
            del self._contexts[context]
        self._ready = [option for option in self._ready if option.cpu is None]
        self._late = None
        for context in dead:
            if context.joiner is not None:
                self.wake(context.joiner)

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
        if self._ready:
            options += [x for x in self._ready if x.cpu is None or x.cpu.allows(x)]
        if not options:
            return None
        if self._may_be_late():
            options.append(PASSING)
        chosen = options[self.ask(options) if len(options) > 1 else 0]
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

    def _resume(self, chosen: Runnable) -> None:
        """Let it run to its next trap. ``current`` is whoever is still ready after that."""
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise too_many_steps()
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
            kernel.crowded = bool(self._ready) or self._may_be_late()
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
            raise locked_up(context)

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
