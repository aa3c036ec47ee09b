# SPDX-License-Identifier: MIT
"""Who called whom in C code, in names and source lines from the debug information.

The library gives addresses; ``addr2line`` of binutils (which gcc needs anyway) is asked of each
address once, and of many at a time. Judges nothing.
"""

from __future__ import annotations

import ctypes as c
import re
import subprocess
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

from guest.native.library import Library

CALLS_MAX: Final = 32  # VX_CALLS_MAX
OURS: Final = Path(__file__).parent
_MACHINERY: Final = ("vx_", "__tsan_", "__kcsan_")


class Place(NamedTuple):
    """A line of C. ``file`` is a path as the compiler was given it."""

    function: str
    file: str
    line: int

    @property
    def is_ours(self) -> bool:
        """Whether it is in the core or the shim, not in the kernel's own files."""
        return Path(self.file).is_relative_to(OURS)

    @property
    def is_in_a_kernel_file(self) -> bool:
        """Whether it is the kernel's, and no inline function of a header."""
        return not self.is_ours and self.file.endswith(".c")

    def __str__(self) -> str:
        return f"{self.function} ({Path(self.file).name}:{self.line})"


class Told(NamedTuple):
    """One of the stacks of a finding, as return addresses, innermost first.

    ``what`` is ``access`` (who did it), ``allocated``, ``freed``, ``initialised``, ``returned`` or
    ``earlier`` (the other side of a data race).
    """

    what: str
    addresses: tuple[int, ...]


@lru_cache(maxsize=1)
def calls_of(library: Library) -> Calls:
    """The stacks of the library that runs; what was looked up of it stays known."""
    return Calls(library)


class Calls:
    """The stacks of one loaded library, and what their addresses stand for."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._places: dict[int, tuple[Place, ...]] = {}
        self._addresses = (c.c_uint64 * CALLS_MAX)()

    def of_context(self, number: int) -> tuple[int, ...]:
        """Where a suspended context stands: return addresses, innermost first. Cheap."""
        count = self._library.call.vx_calls_of(number, self._addresses)
        return tuple(self._addresses[:count])

    def of_finding(self, number: int) -> tuple[Told, ...]:
        """The stacks of what was just found in this context: its own, then the object's."""
        told: list[Told] = []
        count = c.c_uint32()
        while True:
            what = self._library.call.vx_told_calls(len(told), self._addresses, c.byref(count))
            if what is None:
                break
            told.append(Told(what.decode(), tuple(self._addresses[: count.value])))
        if not any(each.what == "access" for each in told):  # else it was some time ago
            told.insert(0, Told("access", self.of_context(number)))
        return tuple(told)

    def places(self, addresses: Sequence[int]) -> tuple[Place, ...]:
        """What a stack stands for, innermost first, inlined functions too.

        Innermost are the lab's own frames, what suspends and what looks at accesses: of those
        only the one that was called is kept, if it stands for a function of the kernel.
        """
        self.look_up(addresses)
        found = [place for address in addresses for place in self._places[address]]
        while len(found) > 1 and found[0].is_ours and _is_inside(*found[:2]):
            del found[0]
        return tuple(found)

    def frames(self, addresses: Sequence[int]) -> tuple[str, ...]:
        """The same in words, without what is nothing but machinery."""
        return tuple(str(place) for place in self.places(addresses) if not _is_machinery(place))

    def look_up(self, addresses: Iterable[int]) -> None:
        """Ask for these addresses, all at once, unless they are known."""
        wanted = sorted({*addresses} - self._places.keys())
        if not wanted:
            return
        shift = self._library.shift
        # A return address may already belong to the next line: the call is before it.
        asked = "\n".join(f"{address - shift - 1:#x}" for address in wanted)
        done = subprocess.run(
            ["addr2line", "-afi", "-e", str(self._library.path)],
            input=asked,
            capture_output=True,
            text=True,
            check=True,
        )
        _, *answers = re.split(r"^0x", done.stdout, flags=re.MULTILINE)
        for address, answer in zip(wanted, answers, strict=True):
            _, *lines = answer.splitlines()
            self._places[address] = tuple(map(_place, lines[::2], lines[1::2]))


def _is_machinery(place: Place) -> bool:
    """Whether a frame is of what calls and switches, below the kernel and the shim."""
    return place.function.startswith(_MACHINERY) or Path(place.file).parent == OURS / "core"


def _is_inside(place: Place, caller: Place) -> bool:
    """Whether a frame of ours tells nothing: machinery, or one that another of ours called."""
    return caller.is_ours or place.function.startswith(_MACHINERY)


def _place(function: str, at: str) -> Place:
    """From addr2line's two lines: the function, and FILE:LINE (discriminator N)."""
    file, _, line = at.partition(" ")[0].rpartition(":")
    return Place(function, file, int(line) if line.isdigit() else 0)
