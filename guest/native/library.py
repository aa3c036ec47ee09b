# SPDX-License-Identifier: MIT
"""The built driver as a loaded library: its plain C interface (``core/vx.h``) in ctypes.

One library is one machine's memory; who wants another run resets it. Knows no scheduler.
"""

from __future__ import annotations

import ctypes as c
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from enum import IntEnum, IntFlag
from itertools import count as counted
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

from guest.native.errors import BuildError

NEVER: Final = (1 << 64) - 1
CPUS_MAX: Final = 256
NOTES_MAX: Final = 4096
TEXT_BYTES: Final = 320
NUMBERS_MAX: Final = 8
WORDS_BYTES: Final = TEXT_BYTES - 8 * NUMBERS_MAX
TICK_MS: Final = 250  # guest code that runs for eight of them without a trap is stopped


class TrapKind(IntEnum):
    """``enum vx_trap_kind``: why a context suspended."""

    AT_POINT = 0
    PARKED = 1
    ASKS = 2
    ENDED = 3
    FOUND = 4


class Request(IntEnum):
    """``enum vx_request``: what a context asks of the host."""

    HYPERCALL = 0
    MMIO_READ = 1
    MMIO_WRITE = 2
    ALLOCATION_FAILS = 3
    RING_IS_FULL = 4
    POWER_OFF = 5


class FaultBits(IntFlag):
    """``enum vx_fault``: what the C side is to ask about."""

    ALLOCATIONS = 1
    RINGS = 2


class NoteKind(IntEnum):
    """``enum vx_note_kind``: what happened between two traps."""

    STARTED = 0
    WOKEN = 1
    LOG = 2
    PUBLISHED = 3
    FUNCTION_SEEN = 4
    HAPPENED = 5
    POWERED_ON = 6
    CPU_DEAD = 7
    CPU_TAKEN_OVER = 8
    CPU_STARTS = 9


class Trap(c.Structure):
    """``struct vx_trap``."""

    _fields_ = (
        *((name, c.c_uint32) for name in ("kind", "ctx")),
        *((name, c.c_char_p) for name in ("what", "text")),
        ("deadline_ns", c.c_uint64),
        *((name, c.c_uint32) for name in ("request", "size")),
        *((name, c.c_uint64) for name in ("a", "b", "c", "answer")),
        ("held_ns", c.c_uint64),
        *((name, c.c_uint32) for name in ("owner", "preempt_off", "bh_off", "irqs_off", "held")),
    )


class _Fields(c.Structure):
    _fields_ = (("numbers", c.c_uint64 * NUMBERS_MAX), ("words", c.c_char * WORDS_BYTES))


class _Text(c.Union):
    _fields_ = (("text", c.c_ubyte * TEXT_BYTES), ("fields", _Fields))


class Note(c.Structure):
    """``struct vx_note``; an event's fields are in ``numbers`` and ``words``."""

    _anonymous_ = ("rest",)
    _fields_ = (
        *((name, c.c_uint32) for name in ("kind", "ctx")),
        *((name, c.c_uint64) for name in ("a", "b", "c", "d")),
        ("rest", _Text),
    )

    def string(self) -> str:
        """The text up to its zero."""
        return bytes(self.text).partition(b"\0")[0].decode(errors="replace")


class Shared(c.Structure):
    """``struct vx_shared``: what both sides read and write."""

    _fields_ = (
        ("now_ns", c.c_uint64),
        *((name, c.c_uint32) for name in ("crowded", "notes_count", "cpus", "faults", "quiet")),
        ("found_outside", c.c_uint32),
        ("vp_of_cpu", c.c_uint32 * CPUS_MAX),
        ("trap", Trap),
        ("notes", Note * NOTES_MAX),
    )


class Symbol(c.Structure):
    """``struct vx_symbol``."""

    _fields_ = (("address", c.c_uint64), ("size", c.c_uint64), ("name", c.c_char_p))


class Row(NamedTuple):
    """One exported function: what it returns and takes."""

    result: Any
    arguments: tuple[Any, ...]


_U32, _U64, _TEXT, _BYTES = c.c_uint32, c.c_uint64, c.c_char_p, c.c_char_p
CORE_FUNCTIONS: Final = {
    "vx_map_arena": Row(c.c_int, ()),
    "vx_watch_functions": Row(_U32, ()),
    "vx_next_missing": Row(_TEXT, (_U32,)),
    "vx_set_symbols": Row(None, (c.POINTER(Symbol), _U32)),
    "vx_catch_faults": Row(c.c_int, ()),
    "vx_keep": Row(c.c_int, ()),
    "vx_reset": Row(None, ()),
    "vx_watch_time": Row(c.c_int, (_U32,)),
    "vx_look_for_races": Row(c.c_int, (_U64, _U64)),
    "vx_excuse_race": Row(None, (_TEXT, _TEXT)),
    "vx_calls_of": Row(_U32, (_U32, c.POINTER(_U64))),
    "vx_told_calls": Row(_TEXT, (_U32, c.POINTER(_U64), c.POINTER(_U32))),
    "vx_find_lost": Row(None, ()),
    "vx_next_lost": Row(c.c_int64, (c.c_int64, c.POINTER(_U64), c.POINTER(c.c_void_p))),
    "vx_function_around": Row(_TEXT, (c.c_void_p,)),
    "vx_resume": Row(None, (_U32,)),
    "vx_what": Row(_TEXT, ()),
    "vx_title": Row(_TEXT, (_U32,)),
    "vx_kind_of": Row(_U32, (_U32,)),
    "vx_cpu_of": Row(_U32, (_U32,)),
    "vx_move": Row(None, (_U32, _U32)),
}
_SHIM_FUNCTIONS: Final = {
    "vx_boot": Row(None, ()),
    "vx_crash": Row(None, (_U32,)),
    "vx_held": Row(_TEXT, (_U32, _U32)),
    "vx_kind_of_object": Row(_TEXT, (c.c_void_p,)),
    "vx_held_for_nothing": Row(c.c_int, (_U32, c.POINTER(_TEXT))),
    "vx_relid_in_use": Row(_U32, (_U32,)),
    "vx_device_interrupt": Row(None, (_U32, _U32)),
    "vx_deliver_message": Row(None, (_U32, _BYTES, _U32, _U32)),
    "vx_deliver_event": Row(None, (_U32, _U32, _U32)),
    "vx_add_mmio_range": Row(None, (_U64, _U64)),
    "vx_set_nodes": Row(None, (_U32, _U64)),
    "vx_set_node_of_cpu": Row(None, (_U32, _U32)),
    "vx_set_isolation": Row(None, (_U32, _U32)),
    "vx_set_framebuffer": Row(None, (_U64, _U64)),
    "vx_add_driver": Row(_U32, (_TEXT,)),
    "vx_add_match": Row(None, (_U32, _U32, _U32, _U32)),
    "vx_add_step": Row(None, (_U32, _U32, c.c_void_p)),
    "vx_add_choice": Row(None, (c.c_void_p,)),
    "vx_shell": Row(None, (_TEXT, _U32, _U32, _BYTES, _U32, _U64, _U64, _BYTES, _U32)),
}


class Library:
    """A loaded driver. Its exported functions are attributes of ``call``.

    One of a process runs: loading another takes the memory's addresses from the one before.
    """

    functions: ClassVar[Mapping[str, Row]] = {**CORE_FUNCTIONS, **_SHIM_FUNCTIONS}

    def __init__(self, path: Path) -> None:
        """Raises :class:`BuildError` if the machine cannot give it its memory."""
        self.path = path
        self.call = _loaded(path)
        for name, row in self.functions.items():
            function = getattr(self.call, name)
            function.restype, function.argtypes = row.result, row.arguments
        self.looks_for_races = False
        self.ready_for: object = None  # whose machine the library is told of, if somebody minds
        self.shared = Shared.in_dll(self.call, "vx_shared")
        if self.call.vx_map_arena():
            raise BuildError("the guest's memory could not be mapped at its address")
        self._symbols = self._table(path)
        self.call.vx_set_symbols(self._symbols, len(self._symbols))
        self.call.vx_watch_functions()
        if self.call.vx_catch_faults() or self.call.vx_watch_time(TICK_MS):
            raise BuildError("faults of the processor could not be caught")
        if self.call.vx_keep():
            raise BuildError("there is no memory to keep the library's own beside it")

    def _table(self, path: Path) -> c.Array[Symbol]:
        """Functions and static objects by address, as they are loaded here."""
        rows = sorted(_symbols(path))
        home = next(at for at, _, name in rows if name == "vx_shared")
        self.shift = shift = c.addressof(self.shared) - home
        found = [Symbol(at + shift, size, name.encode()) for at, size, name in rows]
        return (Symbol * len(found))(*found)

    def notes(self) -> Iterator[Note]:
        """What happened since this was last asked; each is handed out once."""
        shared = self.shared
        count, shared.notes_count = shared.notes_count, 0
        for index in range(count):
            yield shared.notes[index]

    def lost(self) -> dict[str, int]:
        """Objects that nobody leads to any more: their kind to their number.

        What nobody gave a name is "SIZE bytes of FUNCTION", by the function that allocated it.
        """
        call, size, caller = self.call, c.c_uint64(), c.c_void_p()
        call.vx_find_lost()
        found: Counter[str] = Counter()
        number = call.vx_next_lost(-1, c.byref(size), c.byref(caller))
        while number >= 0:
            found[self._kind(size.value, caller)] += 1
            number = call.vx_next_lost(number, c.byref(size), c.byref(caller))
        return dict(sorted(found.items()))

    def left(self, held_relids: Collection[int]) -> dict[str, int]:
        """How much is left that nothing needs, by kind; the host has these relids yet."""
        in_use = self.call.vx_relid_in_use
        relids = sum(not in_use(relid) for relid in held_relids)
        return {**self.lost(), **self.held_for_nothing(), "relid": relids}

    def _kind(self, size_bytes: int, allocated_by: c.c_void_p) -> str:
        if "vx_kind_of_object" in self.functions:
            kind: bytes | None = self.call.vx_kind_of_object(allocated_by)
            if kind is not None:
                return kind.decode()
        function: bytes = self.call.vx_function_around(allocated_by)
        return f"{size_bytes} bytes of {function.decode()}"

    def held_for_nothing(self) -> dict[str, int]:
        """Numbered things that are taken and that no living bus or channel accounts for."""
        name = c.c_char_p()
        held: dict[str, int] = {}
        for kind in counted():
            number = self.call.vx_held_for_nothing(kind, c.byref(name))
            if number < 0:
                return held
            assert name.value is not None, "every kind has a name"
            held[name.value.decode()] = number
        raise AssertionError("counting has no end")


def _loaded(path: Path) -> c.CDLL:
    """The library with memory as its file has it, however often it was loaded before.

    Of a file that is in the process already the system would give what runs have left in it, and
    the memory at fixed addresses has been another library's meanwhile; so a copy is loaded then.
    """
    if str(path.resolve()) not in Path("/proc/self/maps").read_text():
        return c.CDLL(str(path))
    with tempfile.TemporaryDirectory() as folder:
        return c.CDLL(shutil.copy(path, folder))


def _symbols(path: Path) -> Iterator[tuple[int, int, str]]:
    """(address, bytes, name) of what the file defines."""
    done = subprocess.run(
        ["nm", "--defined-only", "--format=posix", str(path)],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in done.stdout.splitlines():
        name, _, address, *size = line.split()
        if size:
            yield int(address, 16), int(size[0], 16), name
