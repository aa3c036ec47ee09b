# SPDX-License-Identifier: MIT
"""What the library remembers of the world outside of its guest: how it is told, and how it plays.

``core/engine.h`` declares both sides. Knows no host and no actor: an input is bytes that the
library makes, and what came of it is a row of effects.
"""

from __future__ import annotations

import ctypes as c
from enum import IntEnum
from struct import Struct
from typing import Any, Final, NamedTuple

from guest.native.library import Library, Note
from protocol.hypercall import (
    HVCALL_MMIO_READ,
    HVCALL_MMIO_WRITE,
    HVCALL_POST_MESSAGE,
    HVCALL_RETARGET_INTERRUPT,
)

NO_CPU: Final = 0xFFFF
ENTER: Final = 0xFFFF_FFFF  # the number of the input by which a run begins
NOWHERE: Final = 0xFFFF_FFFF
PLAYED: Final = 0  # enum vx_outcome
HERE_ALONE: Final = -1  # no file: what is remembered is this process's alone

# The fixed part of each call's input, and where in it is how many bytes follow.
_CALLS: Final = (
    (HVCALL_POST_MESSAGE, 16, 12),
    (HVCALL_RETARGET_INTERRUPT, 56, NOWHERE),
    (HVCALL_MMIO_READ, 16, NOWHERE),
    (HVCALL_MMIO_WRITE, 80, NOWHERE),
)


class Input(IntEnum):
    """``enum vx_input_kind``."""

    RESUME = 0
    ACTION = 1
    ASK = 2
    NOTE = 3
    ENDED = 4
    END = 5
    CHOSEN = 6
    TIME = 7


class Does(IntEnum):
    """``enum vx_does``."""

    ANSWER = 0
    OUTPUT = 1
    MESSAGE = 2
    EVENT = 3
    VECTOR = 4
    START = 5
    WAKE = 6
    WAKE_AT = 7
    LATER = 8
    CALL_OFF = 9
    SHELL = 10
    JOIN = 11
    WINDOW = 12
    WRITE = 13
    PROGRESS = 14
    LOOK = 15
    STOP = 16
    CHOOSE = 17
    TELL_TIME = 18


_PACKED: Final = {
    Does.ANSWER: Struct("<BQQ"),
    Does.OUTPUT: Struct("<BH"),
    Does.MESSAGE: Struct("<BHH"),
    Does.EVENT: Struct("<BHI"),
    Does.VECTOR: Struct("<BHI"),
    Does.START: Struct("<BBHH"),
    Does.WAKE: Struct("<BI"),
    Does.WAKE_AT: Struct("<BIQ"),
    Does.LATER: Struct("<BQQH"),
    Does.CALL_OFF: Struct("<BI"),
    Does.SHELL: Struct("<BIIIIIQQ16s"),
    Does.JOIN: Struct("<BBII"),
    Does.WINDOW: Struct("<BQI"),
    Does.PROGRESS: Struct("<B"),
    Does.STOP: Struct("<BBH"),
    Does.CHOOSE: Struct("<BHH"),
    Does.TELL_TIME: Struct("<B"),
}


class Heard(IntEnum):
    """``enum vx_heard``: whether what an input has done is known already."""

    HEARD = 0
    CONTRADICTED = 1
    UNHEARD = 2
    NEW = 3


class Who(NamedTuple):
    """A context as an input names it; ``nth`` counts the contexts of that title."""

    title: bytes
    nth: int
    kind: int
    cpu: int


class StopPlan(c.Structure):
    """``struct vx_stop_plan``."""

    _fields_ = (
        *((name, c.c_char_p) for name in ("name", "point")),
        *((name, c.c_uint32) for name in ("occurrence", "unused")),
    )


class DelayPlan(c.Structure):
    """``struct vx_delay_plan``."""

    _fields_ = (
        *((name, StopPlan) for name in ("stop", "until")),
        *((name, c.c_uint32) for name in ("kind", "number")),
    )


class Weight(c.Structure):
    """``struct vx_weight``."""

    _fields_ = (("name", c.c_char_p), ("count", c.c_uint64))


class Parent(c.Structure):
    """``struct vx_parent``."""

    _fields_ = (("name", c.c_char_p), ("parent", c.c_char_p))


class SurwPlan(c.Structure):
    """``struct vx_surw_plan``."""

    _fields_ = (
        ("thing", c.c_char_p),
        ("weights", c.POINTER(Weight)),
        ("parents", c.POINTER(Parent)),
        *((name, c.c_uint32) for name in ("weights_count", "parents_count")),
    )


class Sleeper(c.Structure):
    """``struct vx_sleeper``."""

    _fields_ = (
        *((name, c.c_char_p) for name in ("context", "before", "after")),
        *((name, c.c_uint32) for name in ("stop", "cpu")),
    )


class OrdersPlan(c.Structure):
    """``struct vx_orders_plan``."""

    _fields_ = (
        ("decisions", c.c_char_p),
        ("sleepers", c.POINTER(Sleeper)),
        *((name, c.c_uint32) for name in ("decisions_count", "sleepers_count")),
    )


class Trunk(c.Structure):
    """``struct vx_trunk``: the run just played, if it was one of the search of all orders."""

    _fields_ = (
        *((name, c.POINTER(c.c_uint8)) for name in ("decisions", "widths")),
        ("forks", c.POINTER(c.c_uint32)),
        ("sleepers", c.POINTER(Sleeper)),
        *((name, c.c_uint32) for name in ("decisions_count", "widths_count")),
        *((name, c.c_uint32) for name in ("forks_count", "sleepers_count")),
    )


class Plan(c.Structure):
    """``struct vx_plan``."""

    _fields_ = (
        *((name, c.c_uint32) for name in ("kind", "depth", "choices", "decisions_count")),
        *((name, c.c_uint32) for name in ("delays_count", "faults_count")),
        *((name, c.c_uint64) for name in ("seed", "late_window", "fault_window")),
        ("decisions", c.POINTER(c.c_uint16)),
        ("delays", c.POINTER(DelayPlan)),
        ("faults", c.POINTER(StopPlan)),
        ("surw", c.POINTER(SurwPlan)),
        ("orders", c.POINTER(OrdersPlan)),
    )


class Report(c.Structure):
    """``struct vx_report``: what came of playing a plan."""

    _fields_ = (
        *((name, c.c_uint32) for name in ("outcome", "steps", "choices", "latest")),
        *((name, c.c_uint32) for name in ("lasted", "unused")),
        *((name, c.c_uint64) for name in ("at_ns", "times", "stream")),
    )


class Came(c.Structure):
    """``struct vx_came``: an input in which something happened, by its number, and when."""

    _fields_ = (("at_ns", c.c_uint64), ("number", c.c_uint32), ("unused", c.c_uint32))


_U32, _U64 = c.c_uint32, c.c_uint64
_FUNCTIONS: Final[dict[str, tuple[Any, tuple[Any, ...]]]] = {
    "vx_remember_in": (c.c_int, (c.c_int,)),
    "vx_hypercall_takes": (None, (_U32, _U32, _U32)),
    "vx_inputs_begin": (None, ()),
    "vx_input": (None, (_U32, _U32, _U64, c.c_char_p, _U32, _U32, _U32, _U32)),
    "vx_input_ask": (c.c_int, ()),
    "vx_input_note": (c.c_int, (c.c_void_p,)),
    "vx_input_time": (None, (_U64,)),
    "vx_input_windows": (None, (_U32,)),
    "vx_input_window": (None, (_U64, _U32)),
    "vx_effect": (None, (c.c_char_p, _U32)),
    "vx_input_over": (c.c_int, ()),
    "vx_input_learnt": (c.c_int, (_U64, _U64, c.c_char_p, _U32)),
    "vx_input_end_of_run": (None, ()),
    "vx_known_times": (_U64, ()),
    "vx_known_stream": (_U64, ()),
    "vx_known_latest": (_U32, ()),
    "vx_known_edges": (_U32, ()),
    "vx_known_path": (_U32, (c.POINTER(c.POINTER(Came)),)),
    "vx_known_events": (c.c_void_p, (_U32, c.POINTER(_U32))),
    "vx_keep_verdict": (None, (c.c_char_p, _U32, c.c_char_p, _U32)),
    "vx_verdict": (_U32, (c.c_char_p, _U32)),
    "vx_keep_ready": (c.c_int, ()),
    "vx_play": (None, (c.POINTER(Plan), _U32)),
    "vx_decisions": (c.POINTER(c.c_uint16), ()),
}


ANYWHERE: Final = 0xFFFF_FFFF_FFFF_FFFF
BY_HISTORY: Final = 0


class Done(NamedTuple):
    """What Python tells of an input that was not known: the state of the outside after it, as a
    number, what happened, and a digest of that.

    ANYWHERE is the state after an input of which nobody outside takes notice, in any state.
    BY_HISTORY is one that nothing else leads to, whatever it is.
    """

    state: int
    told: int
    events: bytes


class Known:
    """The library's memory of one setup.

    ``contradicted`` once the same input had other effects than before in the same state: then
    something out there is not as simple as it must be, and nothing that is remembered can be
    relied on.
    """

    def __init__(self, library: Library, file: int = HERE_ALONE) -> None:
        """What is remembered lies in the file of that descriptor, which others may have, too.

        Raises MemoryError where the machine cannot give it room.
        """
        self._call = library.call
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._call, name)
            function.restype, function.argtypes = result, arguments
        self.report = Report.in_dll(self._call, "vx_report")
        self.trunk = Trunk.in_dll(self._call, "vx_trunk")
        if self._call.vx_remember_in(file):
            raise MemoryError("no room for what is remembered of the host")
        for call in _CALLS:
            self._call.vx_hypercall_takes(*call)
        self._learning = False
        self.contradicted = False
        self.whole = False  # the run that was told last is remembered to its end
        self.at_ns = 0  # when it ended
        self.windows: list[tuple[int, int]] = []  # of this run: address and size in bytes

    # --- being told ---

    def begin_run(self) -> None:
        """A run from its beginning, to be remembered."""
        self._call.vx_inputs_begin()
        self._learning = True
        self.whole = False
        self.windows = []

    def give_up(self) -> None:
        """What happens now cannot be remembered, nor what comes after it."""
        self._learning = False

    def begin(self, kind: Input, number: int, now_ns: int, who: Who | None) -> None:
        """An input comes in. What is done until :meth:`end` is its effect."""
        if not self._learning:
            return
        if who is None:
            self._call.vx_input(kind, number, now_ns, None, 0, 0, 0, 0)
        else:
            title, nth, whose_kind, cpu = who
            self._call.vx_input(kind, number, now_ns, title, len(title), nth, whose_kind, cpu)

    def with_windows(self, *, always: bool) -> None:
        """What comes of the input depends on the rings: always, or if it touches them."""
        if self._learning:
            self._call.vx_input_windows(always)

    def with_time(self, now_ns: int) -> None:
        """What comes of the input depends on what time it is."""
        if self._learning:
            self._call.vx_input_time(now_ns)

    def with_question(self) -> None:
        """The input is what the guest asks."""
        if self._learning and not self._call.vx_input_ask():
            self.give_up()

    def with_note(self, note: Note) -> None:
        """The input is what the guest told."""
        if self._learning and not self._call.vx_input_note(c.addressof(note)):
            self.give_up()

    def end_run(self, at_ns: int) -> None:
        """The last input is over: there is nothing more to come."""
        self.at_ns = at_ns
        self.whole = self._learning
        self._learning = False

    def with_memory(self) -> None:
        """The input is the end of the run, with what lives in memory."""
        if self._learning:
            self._call.vx_input_end_of_run()

    def does(self, what: Does, *numbers: Any, data: bytes = b"") -> None:
        """One effect of the input that is under way."""
        if self._learning:
            packed = _PACKED[what].pack(what, *numbers) + data
            self._call.vx_effect(packed, len(packed))

    def window(self, address: int, size_bytes: int) -> None:
        """The host sees these bytes of the guest's memory from now on: a ring."""
        self.does(Does.WINDOW, address, size_bytes)
        self.windows.append((address, size_bytes))
        if self._learning:
            self._call.vx_input_window(address, size_bytes)

    def address(self, view: memoryview) -> int | None:
        """Where in a window a view begins; None if it is of something else."""
        if view.readonly:
            return None
        address = c.addressof(c.c_char.from_buffer(view))
        windows = (start for start, size in self.windows if start <= address < start + size)
        return None if next(windows, None) is None else address

    def over(self) -> bool:
        """The input is over; True if it is :meth:`learn`'s to say what it has done."""
        if not self._learning:
            return False
        heard = self._call.vx_input_over()
        self.contradicted |= heard == Heard.CONTRADICTED
        if heard in (Heard.CONTRADICTED, Heard.UNHEARD):
            self.give_up()
        return bool(heard == Heard.NEW)

    def learn(self, done: Done) -> None:
        """What an input has done that was not known."""
        if not self._call.vx_input_learnt(done.state, done.told, done.events, len(done.events)):
            self.give_up()

    @property
    def latest(self) -> int:
        """The number of the input that came in last: which it was, and in which state."""
        return int(self._call.vx_known_latest())

    @property
    def stream(self) -> int:
        """A digest of all that has happened in the run so far."""
        return int(self._call.vx_known_stream())

    @property
    def times(self) -> int:
        """A digest of when each input came."""
        return int(self._call.vx_known_times())

    @property
    def edges(self) -> int:
        """How many inputs are remembered, each in one state."""
        return int(self._call.vx_known_edges())

    # --- playing ---

    def keep_ready(self) -> None:
        """As the library is now, each run that it plays begins."""
        if self._call.vx_keep_ready():
            raise MemoryError("no room to keep a machine that is ready to boot")

    def play(self, plan: Plan, lates: int) -> bool:
        """Play a plan; False where something came up that is not known. See ``report``."""
        self._call.vx_play(c.byref(plan), lates)
        return bool(self.report.outcome == PLAYED)

    def decisions(self) -> tuple[int, ...]:
        """The choices of the run just played."""
        return tuple(self._call.vx_decisions()[: self.report.choices])

    def path(self) -> list[tuple[int, int]]:
        """The inputs of the run just played in which something happened: number and time."""
        first = c.POINTER(Came)()
        count = self._call.vx_known_path(c.byref(first))
        return [(came.number, came.at_ns) for came in first[:count]]

    def events(self, number: int) -> bytes:
        """What happened in the input of that number, as :meth:`learn` was told."""
        size = c.c_uint32()
        address = self._call.vx_known_events(number, c.byref(size))
        return c.string_at(address, size.value)

    # --- what is said of runs, for others who play the same ---

    def keep_verdict(self, key: bytes, verdict: bytes) -> None:
        """Have it found again under the key, by whoever shares what is remembered."""
        self._call.vx_keep_verdict(key, len(key), verdict, len(verdict))

    def verdict(self, key: bytes) -> bytes | None:
        """What somebody has kept under the key."""
        number = self._call.vx_verdict(key, len(key))
        return self.events(number - 1) if number else None
