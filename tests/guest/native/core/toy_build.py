# SPDX-License-Identifier: MIT
"""The toy: a shared object of the C core with ``toy/*.c`` on it, and a scheduler of a few lines."""

from __future__ import annotations

import ctypes as c
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from guest.native.calls import Calls, Told
from guest.native.compiler import find_compiler
from guest.native.library import CORE_FUNCTIONS, NEVER, Library, NoteKind, Row, TrapKind
from guest.native.recipe import CORE_FLAGS, HERE, LINKER_SCRIPT, WATCHED_FLAGS, core_files

TOY = Path(__file__).parent / "toy"
SOURCES = sorted(path.name for path in TOY.glob("*.c"))
# Elsewhere than the real driver's memory, so that one process can have both.
_BASES = (
    *("-DVX_ARENA_BASE=0x300000000000ull", "-DVX_STACKS_BASE=0x380000000000ull"),
    "-DVX_VMEMMAP=0x400000000000ull",
)
_TOY_FLAGS = (
    *("-O1", "-gdwarf-4", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"),
    *("-fno-omit-frame-pointer", "-fstack-protector-strong", "-mstack-protector-guard=global"),
    "-Wno-infinite-recursion",
)


def build_toy(folder: Path) -> Path:
    """Compile it into this folder. Raises BuildError where there is no gcc."""
    compiler = find_compiler()
    parts: list[tuple[Sequence[Path], Sequence[str]]] = [
        (core_files(), CORE_FLAGS),
        ([TOY / name for name in SOURCES], (*_TOY_FLAGS, *WATCHED_FLAGS)),
    ]
    objects: list[Path] = []
    for sources, flags in parts:
        for source in sources:
            target = folder / f"{source.stem}.{source.parent.name}.o"
            include = f"-I{HERE / 'core'}"
            compiler.run([*flags, *_BASES, include, "-c", source, "-o", target], source.name)
            objects.append(target)
    made = folder / "toy.so"
    link = ("-shared", "-Wl,-z,defs", "-Wl,-z,norelro", f"-Wl,-T,{LINKER_SCRIPT}")
    compiler.run([*link, "-o", made, *objects], "the toy")
    return made


class Found(NamedTuple):
    """What the C side found wrong, in which context, with its stacks."""

    kind: str
    text: str
    context: str
    stacks: tuple[Told, ...]


class ToyLibrary(Library):
    """The core and the toy's own functions."""

    functions: ClassVar = {
        **CORE_FUNCTIONS,
        "toy_start": Row(None, (c.c_char_p, c.c_uint32, c.c_void_p)),
        "toy_deliver": Row(None, (c.c_uint32,)),
        "toy_digest": Row(c.c_uint64, ()),
    }

    def path_range(self) -> tuple[int, int]:
        """The addresses of all its code."""
        found = [symbol for symbol in self._symbols if symbol.name != b"_end"]
        return found[0].address, found[-1].address


def first(_: Sequence[int]) -> int:
    """Natural order."""
    return 0


class Toy:
    """One toy, run after run. ``log`` is what the last run's contexts said, in order."""

    def __init__(self, path: Path) -> None:
        self.library = ToyLibrary(path)
        self.calls = Calls(self.library)
        self.log: list[str] = []

    def run(
        self, *names: str, choose: Callable[[Sequence[int]], int] = first, cpus: Sequence[int] = ()
    ) -> Found | None:
        """Run these functions, a context each, until nothing can go on or something is found."""
        library, call = self.library, self.library.call
        call.vx_reset()
        self.log = []
        self._ready: list[int] = []
        self._deadlines: dict[int, int] = {}
        library.shared.now_ns, library.shared.cpus, library.shared.crowded = 0, 2, 1
        for index, name in enumerate(names):
            entry = c.cast(getattr(call, name), c.c_void_p)
            call.toy_start(name.encode(), cpus[index] if cpus else 0, entry)
        self._settle()
        while self._ready or self._time_passes():
            found = self._step(self._ready.pop(choose(self._ready)))
            if found is not None:
                return found
        return None

    def _time_passes(self) -> bool:
        if not self._deadlines:
            return False
        number = min(self._deadlines, key=lambda each: (self._deadlines[each], each))
        self.library.shared.now_ns = self._deadlines.pop(number)
        self._ready.append(number)
        return True

    def _step(self, number: int) -> Found | None:
        library = self.library
        trap = library.shared.trap
        library.call.vx_resume(number)
        self._settle()
        if trap.kind == TrapKind.FOUND:
            title = library.call.vx_title(number).decode()
            stacks = self.calls.of_finding(number)
            return Found(trap.what.decode(), trap.text.decode(), title, stacks)
        if trap.kind == TrapKind.ASKS:
            trap.answer = 0x1234
        if trap.kind in (TrapKind.AT_POINT, TrapKind.ASKS):
            self._ready.insert(0, number)
        elif trap.kind == TrapKind.PARKED and trap.deadline_ns != NEVER:
            self._deadlines[number] = trap.deadline_ns
        return None

    def _settle(self) -> None:
        for note in self.library.notes():
            if note.kind == NoteKind.LOG:
                self.log.append(note.string())
            elif note.kind in (NoteKind.STARTED, NoteKind.WOKEN):
                self._deadlines.pop(note.ctx, None)
                self._ready.append(note.ctx)
