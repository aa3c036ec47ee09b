# SPDX-License-Identifier: MIT
"""Plays a schedule of the real driver so that the library remembers what the world around it did.

Everything outside of the guest (host, actors, those logged in) is asked one thing after another:
go on, this is due, the guest asks, the guest tells. What it does each time shows in the calls that
it makes to the scheduler, the clock and the guest; these are the effects. It draws no lots, so the
same question in the same state (:mod:`sim.outside`) has the same effects, and the library can play
what it knows without asking. What cannot be put so simply ends the remembering of that run, never
the run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from guest.kernel.context import Context
from guest.kernel.cpu import Cpu
from guest.kernel.kernel import Kernel
from guest.kernel.pages import PhysicalMemory
from guest.native.contexts import Contexts, NativeContext
from guest.native.guest import KEPT, NativeGuest
from guest.native.known import ANYWHERE, BY_HISTORY, ENTER, NO_CPU, Does, Done, Input, Known, Who
from guest.native.library import Library, TrapKind
from guest.native.processors import Processors
from host.bar_memory import BarMemory
from host.function_layout import FunctionLayout
from host.vsp import Vsp
from sim.choices import Chooser, Option
from sim.engine import Engine
from sim.fingerprint import fingerprint
from sim.judging import judge_standstill
from sim.outside import Outside
from sim.readings import Unreadable
from sim.retelling import Ending, ended, told
from sim.scenario import Wait
from sim.timekeeper import HostAction, Runnable

if TYPE_CHECKING:
    from guest.native.shell import Command
    from sim.world import World

# To read a state takes half a millisecond; a run that goes its own way meets new ones for ever.
STATES_MAX: Final = 48
FIRST_EDGES: Final = 4000  # one to two runs of most scenarios

_UNTOUCHED: Final = -1  # stands for the step of the last progress while an input is under way


# What counts of those who are no part of the outside, or only in part.
_PARTS: Final[Mapping[type, Any]] = MappingProxyType(
    {
        Context: ("name", "ready", "done", "coroutine", "joiner"),
        NativeGuest: ("_devices", "_seen", "_processors"),
        Processors: ("places",),
        Vsp: ("_lived",),  # but for that it is tables, and what it answered before
        FunctionLayout: (),
        BarMemory: ("words",),  # the rest is the layout's
        **dict.fromkeys((Engine, Kernel, Contexts, Library, Known, PhysicalMemory), ()),
    }
)


class RememberingEngine(Engine):
    """The engine, in whose calls the effects show. ``known`` is told."""

    def __init__(self, known: Known, chooser: Chooser, *, lates: int) -> None:
        super().__init__(chooser, lates=lates)
        self.known = known
        self.ask = self._asked
        self._choose_by = chooser.choose
        self._world: World
        self._reader: Outside
        self._inside = False
        self._states = 0  # that were new
        self._notes = False  # it is one of the guest's
        self._told = 0  # how much of what has happened
        self._progress_before = 0
        self._knows_time = False  # the input that is under way
        self._outside: dict[Context, int] = {}  # contexts that are not C code, by number
        self._shells: dict[Context, int] = {}  # C code that somebody outside waits for
        self._acts: list[HostAction] = []  # to come, as they were announced
        self._shell_comes = False
        known.begin_run()
        self.begin(Input.RESUME, ENTER, None)

    def remember(self, world: World) -> None:
        """This is what is outside of the guest, and the guest."""
        self._world = world
        self._reader = Outside(
            {
                **_PARTS,
                type(world): (),
                HostAction: self._place,
                NativeContext: lambda context: (self._shells.get(context), context.done),
            },
            self.known.address,
            opaque=(world.happened,),
        )

    def _asked(self, options: Sequence[Option]) -> int:
        if not self._inside:
            return self._choose_by(options)
        _, fault = options  # nobody chooses who goes on in the midst of an input
        name, at = fault.name.encode(), fault.at.encode()
        self.known.does(Does.CHOOSE, len(name), len(at), data=name + b"\0" + at + b"\0")
        chosen = self._choose_by(options)
        self._cut(Input.CHOSEN, chosen)
        return chosen

    def _cut(self, kind: Input, number: int) -> None:
        """The input ends in its midst, and this one, which it waits for, does the rest of it."""
        knows_time = self._knows_time or kind is Input.TIME
        self._end(told, lambda: BY_HISTORY)  # who is in the midst of a step cannot be read
        self.begin(kind, number, None)
        self._knows_time = knows_time
        if kind is Input.TIME:
            self.known.with_time(self.time_ns)
        self.known.with_windows(always=False)

    # --- inputs ---

    def begin(self, kind: Input, number: int, who: Context | None) -> None:
        """An input comes in."""
        if self._inside or (self._told and len(self._world.happened) > self._told):
            self.known.give_up()  # something came of none, or of two at once
        self._inside = True
        self._notes = kind is Input.NOTE
        self._knows_time = False
        self._progress_before, self.progress_step = self.progress_step, _UNTOUCHED
        self.known.begin(kind, number, self.time_ns, None if who is None else _who(who))

    def end(self) -> None:
        """It has had its effects."""
        self._end(told, self._state_or_history)

    def _end(self, tell: Callable[[Sequence[Any]], bytes], state: Callable[[], int]) -> None:
        if self.progress_step == _UNTOUCHED:
            self.progress_step = self._progress_before
        else:
            self.known.does(Does.PROGRESS)
        if self.known.over():
            self._learn(tell, state)
        self._told = len(self._world.happened)
        self._inside = False

    def _learn(self, tell: Callable[[Sequence[Any]], bytes], state: Callable[[], int]) -> None:
        """What the input has done is new: say in which state it leaves what is outside."""
        happened = self._world.happened[self._told :]
        try:
            to = ANYWHERE if self._unnoticed(happened) else state()
        except Unreadable:
            self.known.give_up()
        else:
            digest = fingerprint(happened) if happened else 0
            self.known.learn(Done(to, digest, tell(happened)))

    def _unnoticed(self, happened: Sequence[Any]) -> bool:
        """Whether the guest only told of what nobody outside waits for or keeps."""
        noticed = self._world.watch.kinds | KEPT
        return self._notes and all(type(event) not in noticed for _, _, event in happened)

    def _state_or_history(self) -> int:
        """The state, unless so many were new in this run that hardly any would be met again."""
        self._states += 1
        if self._states > STATES_MAX and self.known.edges > FIRST_EDGES:
            return BY_HISTORY
        return self._state()

    def _state(self) -> int:
        world = self._world
        return self._reader.digest(
            world.partition,
            world.actors,
            world.watch,
            world.machine,
            world.faults,
            [(act.name, act.action) for act in self._acts],
            (len(self._outside), len(self._shells), *self.known.windows),
        )

    def _place(self, act: HostAction) -> int | None:
        return None if act.done or act not in self._acts else self._acts.index(act)

    def run(self) -> None:
        self.end()  # who enters has entered
        super().run()
        if judge_standstill(self) is not None:
            self.known.give_up()
        self.begin(Input.END, 0, None)
        self.known.with_memory()
        self._end(lambda _: ended(self._ending()), self._state_or_history)
        self.known.end_run(self.time_ns)

    def _ending(self) -> Ending:
        world = self._world
        waits = tuple(actor.at for actor in world.actors if isinstance(actor.at, Wait))
        return Ending(tuple(world.partition.server.held_relids()), waits)

    def _resume(self, chosen: Runnable) -> None:
        if isinstance(chosen, NativeContext):
            self._resume_native(chosen)
            return
        if isinstance(chosen, HostAction):
            place = self._acts.index(chosen)
            del self._acts[place]
            self.begin(Input.ACTION, place, None)
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
        if self._inside and not self._knows_time:
            self.known.does(Does.TELL_TIME)
            self._cut(Input.TIME, 0)
        return super().now_ns()

    def wake_at(self, context: Context, at_ns: int) -> None:
        super().wake_at(context, at_ns)
        if context in self._outside:
            self._does(Does.WAKE_AT, self._outside[context], at_ns - self.time_ns)

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        call_off = super().later(window_ns, label, action)
        assert isinstance(call_off, partial), "it is for one act"
        self._acts += call_off.args
        name = label.encode()
        self._does(Does.LATER, *window_ns, len(name), data=name)
        return call_off

    def _call_off(self, action: HostAction) -> None:
        super()._call_off(action)
        place = self._place(action)
        if place is not None:
            del self._acts[place]
            self._does(Does.CALL_OFF, place)

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


def _number(cpu: Cpu | None) -> int:
    return NO_CPU if cpu is None else int(cpu.index)


def _who(context: Context) -> Who:
    _, _, nth = context.name[len(context.title) :].partition("#")
    return Who(context.title.encode(), int(nth or 1), context.kind, _number(context.cpu))
