# SPDX-License-Identifier: MIT
"""The library's contexts as the scheduler knows contexts: resumed, C code runs to its next trap.

What the C side did meanwhile (contexts started and woken, packets published, lines printed) is
handed on in order as soon as it suspends. What it asks of the host is answered here, on the
scheduler's own stack, and it goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from guest.kernel.context import Context, Kind, Steps, TakenLock
from guest.kernel.faults import GuestFault
from guest.native.calls import Calls, Told, calls_of
from guest.native.library import NEVER, Library, NoteKind, TrapKind

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.native.library import Note, Trap


class NativeFault(GuestFault):
    """What the C side found: ``kind`` is a violation's kind."""

    def __init__(self, kind: str, text: str, calls: Calls, told: tuple[Told, ...]) -> None:
        super().__init__(text)
        self.kind = kind
        self._calls = calls
        self._told = told

    def stacks(self) -> dict[str, tuple[str, ...]]:
        """Who did it, and what has become of the object before."""
        return {told.what: self._calls.frames(told.addresses) for told in self._told}


class NativeContext(Context):
    """A context of the library, by its number there."""

    __slots__ = ("number",)

    def __init__(self, number: int, title: str, kind: Kind, cpu: Any, coroutine: Steps) -> None:
        super().__init__(title, kind, cpu, coroutine)
        self.number = number


class _Resumed:
    """What a scheduler drives in place of a coroutine: each ``send`` runs to the next trap."""

    __slots__ = ("_calls", "_number", "_run")

    def __init__(self, run: Callable[[int], str], number: int, calls: Calls) -> None:
        self._run = run
        self._number = number
        self._calls = calls

    def send(self, _: None, /) -> str:
        return self._run(self._number)

    def close(self) -> None:
        """Its stack is given up with the run."""

    def frames(self) -> tuple[str, ...]:
        """Where it stands, innermost first; until the next run begins."""
        return self._calls.frames(self._calls.of_context(self._number))

    def place(self) -> str:
        """Its innermost function that is the kernel's own; "" before it has begun."""
        places = self._calls.places(self._calls.of_context(self._number))
        return next((str(place) for place in places if place.is_in_a_kernel_file), "")


Answer = Callable[["NativeContext", "Trap"], int]
Tell = Callable[["Note"], None]


class Contexts:
    """All contexts of one run. ``answer`` answers the host's part, ``tell`` gets what happened.

    ``places`` are queues, by name, that have an object of their own for who waits in them.
    """

    def __init__(
        self,
        library: Library,
        kernel: Kernel,
        answer: Answer,
        tell: Tell,
        places: Mapping[str, object],
    ) -> None:
        self._library = library
        self._calls = calls_of(library)
        self._kernel = kernel
        self._answer = answer
        self._tell = tell
        self._places = places
        self._contexts: list[NativeContext] = []

    def run(self, number: int) -> str:
        """Let one run to its next trap; the point's name, as ``send`` returns it.

        Raises StopIteration at its end and :class:`NativeFault` for what the C side found.
        """
        library, kernel, context = self._library, self._kernel, self._contexts[number]
        shared = library.shared
        trap = shared.trap
        while True:
            shared.now_ns = kernel.now_ns()
            shared.crowded = kernel.crowded
            library.call.vx_resume(number)
            context.preempt_off = trap.preempt_off
            context.bh_off = trap.bh_off
            context.irqs_off = trap.irqs_off
            self.settle()
            if trap.held or context.held:
                context.held = self._held(number, trap.held)
            if trap.kind != TrapKind.ASKS:
                return self._stopped(context, trap)
            trap.answer = self._answer(context, trap)

    def _held(self, number: int, count: int) -> list[object]:
        """The names of the locks that a context holds, oldest first."""
        return [self._library.call.vx_held(number, place).decode() for place in range(count)]

    def _stopped(self, context: NativeContext, trap: Trap) -> str:
        if trap.kind == TrapKind.ENDED:
            raise StopIteration
        what = trap.what.decode()
        if trap.kind == TrapKind.AT_POINT:
            return str(self._library.call.vx_what().decode())
        if trap.kind == TrapKind.FOUND:
            told = self._calls.of_finding(context.number)
            raise NativeFault(what, trap.text.decode(), self._calls, told)
        if trap.kind == TrapKind.PARKED:
            context.ready = False
            owner = self._contexts[trap.owner - 1] if trap.owner else None
            place = self._places.get(what, what)
            context.waiting_for = place if owner is None else TakenLock(what, owner)
            if trap.deadline_ns != NEVER:
                self._kernel.scheduler.wake_at(context, trap.deadline_ns)
        return str(what)

    def entered(self) -> None:
        """After a call that is no context's: :meth:`settle`.

        Raises :class:`NativeFault` for what the C side found in the call.
        """
        trap = self._library.shared.trap
        if self._library.shared.found_outside:
            raise NativeFault(trap.what.decode(), trap.text.decode(), self._calls, ())
        self.settle()

    def settle(self) -> None:
        """Hand on what the C side did since it was last asked."""
        for note in self._library.notes():
            if note.kind == NoteKind.STARTED:
                self._start(note.ctx)
            elif note.kind == NoteKind.WOKEN:
                self._kernel.scheduler.wake(self._contexts[note.ctx])
            else:
                self._tell(note)

    def _start(self, number: int) -> None:
        assert number == len(self._contexts), "contexts are numbered as they start"
        call = self._library.call
        context = NativeContext(
            number,
            call.vx_title(number).decode(),
            Kind(call.vx_kind_of(number)),
            self._kernel.cpus[call.vx_cpu_of(number)],
            _Resumed(self.run, number, self._calls),
        )
        self._contexts.append(context)
        self._kernel.scheduler.start(context)

    def last(self) -> NativeContext:
        """The context that was started last."""
        return self._contexts[-1]
