# SPDX-License-Identifier: MIT
"""Plays a schedule of the real driver so that the library remembers what the world around it did.

Everything outside of the guest (host, actors, those logged in) is asked one thing after another:
go on, this is due, the guest asks, the guest tells. What it does each time shows in the calls that
it makes to the scheduler, the clock and the guest; these are the effects. It draws no lots, so the
same questions in the same order have the same effects, and the library can play what it knows
without asking. What cannot be put so simply ends the remembering of that run, never the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from guest.kernel.context import Context
from guest.kernel.cpu import Cpu
from guest.kernel.pages import PhysicalMemory
from guest.native.contexts import NativeContext
from guest.native.guest import NativeGuest, NativeMemory
from guest.native.known import ENTER, NO_CPU, Does, Input, Known, Who
from guest.native.library import NoteKind, Request, TrapKind
from guest.port import HostPort
from guest.reference import GuestConfig
from protocol.ids import Vector, VpIndex
from sim.choices import Chooser, Option
from sim.engine import Engine
from sim.guests import NativeGuests
from sim.timekeeper import HostAction, Runnable

if TYPE_CHECKING:
    from guest.kernel.context import Scheduler
    from guest.native.library import Library, Note, Trap
    from guest.native.shell import Command

_UNTOUCHED = -1  # stands for the step of the last progress while an input is under way


class RememberingEngine(Engine):
    """The engine, in whose calls the effects show. ``known`` is told."""

    def __init__(self, known: Known, chooser: Chooser, *, lates: int) -> None:
        super().__init__(chooser, lates=lates)
        self.known = known
        self.ask = self._asked
        self._choose_by = chooser.choose
        self._inside = False
        self._progress_before = 0
        self._time_counts = False  # for the input that is under way
        self._outside: dict[Context, int] = {}  # contexts that are not C code, by number
        self._shells: dict[Context, int] = {}  # C code that somebody outside waits for
        self._shell_comes = False
        known.begin_run()
        self.begin(Input.RESUME, ENTER, None)

    def _asked(self, options: Sequence[Option]) -> int:
        if self._inside:
            self.known.give_up()
        return self._choose_by(options)

    # --- inputs ---

    def begin(self, kind: Input, number: int, who: Context | None) -> None:
        """An input comes in."""
        self._inside = True
        self._progress_before, self.progress_step = self.progress_step, _UNTOUCHED
        self.known.begin(kind, number, self.time_ns, None if who is None else _who(who))

    def end(self) -> None:
        """It has had its effects."""
        if self.progress_step == _UNTOUCHED:
            self.progress_step = self._progress_before
        else:
            self.known.does(Does.PROGRESS)
        if self._time_counts:
            self.known.give_up()
        self._time_counts = False
        self.known.end()
        self._inside = False

    def run(self) -> None:
        self.end()  # who enters has entered
        super().run()
        self.begin(Input.END, 0, None)
        self.known.with_memory()
        self.known.end_run(self.time_ns)

    def _resume(self, chosen: Runnable) -> None:
        if isinstance(chosen, NativeContext):
            self._resume_native(chosen)
            return
        if isinstance(chosen, HostAction):
            self.begin(Input.ACTION, chosen.number, None)
        else:
            self.begin(Input.RESUME, self._outside[chosen], chosen)
        self.known.with_windows(always=isinstance(chosen, HostAction))
        super()._resume(chosen)
        if isinstance(chosen, Context):
            self._tell_stop(chosen)
        self.end()

    def _resume_native(self, chosen: NativeContext) -> None:
        super()._resume(chosen)
        if chosen.done and chosen in self._shells:
            self.begin(Input.ENDED, 0, chosen)
            self.end()

    def _tell_stop(self, context: Context) -> None:
        """Where a context from outside has stopped, and for whose end it waits."""
        known = self.known
        kind = TrapKind.AT_POINT if context.ready else TrapKind.PARKED
        at = context.at.encode()
        known.does(Does.STOP, TrapKind.ENDED if context.done else kind, len(at), data=at + b"\0")
        for other in self._contexts:
            if other.joiner is not context:
                continue
            if other in self._shells:
                known.does(Does.JOIN, 1, self._shells[other], self._outside[context])
            elif other in self._outside:
                known.does(Does.JOIN, 0, self._outside[other], self._outside[context])
            else:
                known.give_up()

    # --- effects ---

    def start(self, context: Context) -> None:
        super().start(context)
        if isinstance(context, NativeContext):
            if self._shell_comes:
                self._shells[context] = len(self._shells)
                self._shell_comes = False
            return
        self._outside[context] = len(self._outside)
        title = context.title.encode()
        self._does(Does.START, context.kind, _number(context.cpu), len(title), data=title)

    def wake(self, context: Context) -> None:
        super().wake(context)
        if self._inside and context in self._outside:
            self.known.does(Does.WAKE, self._outside[context])

    def now_ns(self) -> int:
        self._time_counts = self._inside
        return super().now_ns()

    def wake_at(self, context: Context, at_ns: int) -> None:
        super().wake_at(context, at_ns)
        self._time_counts = False  # it was asked for only to be counted from
        if context in self._outside:
            self._does(Does.WAKE_AT, self._outside[context], at_ns - self.time_ns)

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        number = self._actions
        call_off = super().later(window_ns, label, action)
        name = label.encode()
        self._does(Does.LATER, *window_ns, len(name), data=name)
        return partial(self._called_off, number, call_off)

    def _called_off(self, number: int, call_off: Callable[[], None]) -> None:
        call_off()
        self._does(Does.CALL_OFF, number)

    def _does(self, what: Does, *numbers: int, data: bytes = b"") -> None:
        if self._inside:
            self.known.does(what, *numbers, data=data)
        else:
            self.known.give_up()

    def shell(self, command: Command, cpu: int) -> None:
        """Somebody logged in gives a command, whose thread starts next."""
        verb = command.verb
        title = verb.name.lower().encode()
        self._shell_comes = True
        self._does_shell(command, cpu, title)

    def _does_shell(self, command: Command, cpu: int, title: bytes) -> None:
        self.known.does(
            Does.SHELL,
            cpu,
            command.verb,
            command.devfn,
            len(title),
            len(command.text),
            command.a,
            command.b,
            command.instance.bytes_le,
            data=title + command.text,
        )

    # --- what cannot be remembered ---

    def halt(self) -> None:
        self.known.give_up()
        super().halt()

    def drop(self, context: Context) -> None:
        self.known.give_up()
        super().drop(context)

    def contexts_of(self, cpu: Cpu) -> list[Context]:
        self.known.give_up()
        return super().contexts_of(cpu)


def _number(cpu: Cpu | None) -> int:
    return NO_CPU if cpu is None else int(cpu.index)


def _who(context: Context) -> Who:
    _, _, nth = context.name[len(context.title) :].partition("#")
    return Who(context.title.encode(), int(nth or 1), context.kind, _number(context.cpu))


class RememberedMemory(NativeMemory):
    """The library's memory; a window of it is a ring."""

    def __init__(self, known: Known) -> None:
        super().__init__()
        self._known = known

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes themselves, shared, and watched from now on."""
        self._known.window(gpa, size_bytes)
        return super().window(gpa, size_bytes)


class RememberedGuest(NativeGuest):
    """The real driver's guest, whose every question and tale is an input."""

    _engine: RememberingEngine

    def watched_by(self, engine: RememberingEngine) -> None:
        """Who is told."""
        self._engine = engine

    def _answer(self, context: NativeContext, trap: Trap) -> int:
        engine = self._engine
        engine.begin(Input.ASK, 0, context)
        engine.known.with_question()
        answer = super()._answer(context, trap)
        engine.known.does(Does.ANSWER, answer, trap.held_ns)
        if trap.request == Request.HYPERCALL and self._host.output:
            engine.known.does(Does.OUTPUT, len(self._host.output), data=self._host.output)
        engine.end()
        return answer

    def _told(self, note: Note) -> None:
        engine = self._engine
        if note.kind == NoteKind.LOG:
            super()._told(note)
            return
        engine.begin(Input.NOTE, 0, engine.current)
        engine.known.with_note(note)
        super()._told(note)
        engine.end()

    async def command(self, command: Command) -> None:
        self._engine.shell(command, self.kernel.current_cpu().index)
        await super().command(command)

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        data = bytes(message)
        self._engine.known.does(Does.MESSAGE, self._cpu_of_vp[vp], len(data), data=data)
        super().synic_message(vp, message)

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        self._engine.known.does(Does.EVENT, self._cpu_of_vp[vp], flag)
        super().synic_event(vp, flag)

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        self._engine.known.does(Does.VECTOR, self._cpu_of_vp[vp], vector)
        super().deliver_vector(vp, vector)


class RememberingGuests(NativeGuests):
    """Makes guests whose runs are remembered."""

    def __init__(self, library: Callable[[], Library], known: Known) -> None:
        super().__init__(library)
        self._known = known

    def memory(self) -> PhysicalMemory:
        return RememberedMemory(self._known)

    def guest(
        self,
        config: GuestConfig,
        memory: PhysicalMemory,
        number: int,
        *,
        port: HostPort,
        scheduler: Scheduler,
        emit: Callable[[object], None],
    ) -> RememberedGuest:
        assert isinstance(scheduler, RememberingEngine), "who remembers is told by the engine"
        library = self.fresh_library(number)
        guest = RememberedGuest(
            library, config, port=port, scheduler=scheduler, emit=emit, memory=memory
        )
        guest.watched_by(scheduler)
        self._known.keep_ready()
        library.ready_for = self._known
        return guest
