# SPDX-License-Identifier: MIT
"""Which lines and branches of the driver have been run, as gcc counts them and gcov reads it.

The driver's file is compiled with counters, which go on from run to run. Where they are added up is
a folder that all processes of a campaign share. Knows no campaign and no report.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Final

import msgspec

from guest.native.errors import BuildError
from guest.native.library import Library
from guest.native.objects import notes_of

COUNTING: Final = ("--coverage", "-DVX_COUNTS")  # what the driver's file is compiled with for this
_FOLDERS_MAX: Final = 99  # of an object's path, all of which are left out in the folder of counts
_COUNTS: Final = "*.gcda"
_MISSING_GCOV: Final = "gcov is needed to tell what was run; it comes with gcc: apt-get install gcc"


class Line(msgspec.Struct, frozen=True):
    """A line that has code: how often it was run, and how often each of its branches was taken."""

    number: int
    count: int
    branches: tuple[int, ...] = ()

    @property
    def branches_run(self) -> int:
        """How many of its branches have been taken."""
        return sum(taken > 0 for taken in self.branches)


class Function(msgspec.Struct, frozen=True):
    """A function that was not inlined everywhere, its first line, and how often it was called."""

    name: str
    line: int
    count: int


class Coverage(msgspec.Struct, frozen=True):
    """What has been run of one file; both in the order of its lines."""

    file: str
    lines: tuple[Line, ...]
    functions: tuple[Function, ...]

    @property
    def lines_run(self) -> int:
        """How many of its lines have been run."""
        return sum(line.count > 0 for line in self.lines)

    @property
    def branches(self) -> int:
        """How many ways its lines may go on."""
        return sum(len(line.branches) for line in self.lines)

    @property
    def branches_run(self) -> int:
        """How many of these have been taken."""
        return sum(line.branches_run for line in self.lines)

    @property
    def functions_not_run(self) -> tuple[str, ...]:
        """The names of those that nobody has called."""
        return tuple(function.name for function in self.functions if function.count <= 0)


class Counters:
    """The counters of one process's library, and the folder where they are added up."""

    def __init__(self, library: Callable[[], Library], folder: Path) -> None:
        """``library``: as it runs now, built with COUNTING; ``folder`` may be others', too."""
        self._library = library
        self._folder = folder

    def write(self) -> None:
        """Add what was run since the last time. A process that is killed loses what came later."""
        os.environ["GCOV_PREFIX"] = str(self._folder)  # libgcov asks for both at each writing
        os.environ["GCOV_PREFIX_STRIP"] = str(_FOLDERS_MAX)
        self._library().call.vx_write_counts()


def check_gcov() -> None:
    """Raises :class:`BuildError`, with the remedy, if the machine has no gcov."""
    if shutil.which("gcov") is None:
        raise BuildError(_MISSING_GCOV)


def read_counts(folder: Path, driver_object: Path, driver_file: Path) -> Coverage:
    """What all processes have added up in a folder, of a driver that was built with COUNTING.

    Raises :class:`BuildError` if gcov is missing or of another version than gcc.
    """
    check_gcov()
    written = sorted(folder.glob(_COUNTS))
    if not written:
        return Coverage(str(driver_file), (), ())
    with tempfile.TemporaryDirectory() as beside:
        counts = Path(shutil.copy(written[0], beside))
        shutil.copy(notes_of(driver_object), notes_of(counts))
        text = _gcov(counts)
    return coverage_of(text, str(driver_file))


def _gcov(counts: Path) -> bytes:
    command = ["gcov", "--json-format", "--stdout", "--branch-probabilities", counts.name]
    done = subprocess.run(command, cwd=counts.parent, capture_output=True, check=False)
    if done.returncode or not done.stdout.strip():
        told = done.stderr.decode(errors="replace").strip()
        raise BuildError(f"gcov cannot read what gcc's code has counted: {told}; both must be one")
    return done.stdout


class _Branch(msgspec.Struct):
    count: int


class _Line(msgspec.Struct):
    line_number: int
    count: int
    branches: list[_Branch]


class _Function(msgspec.Struct):
    name: str
    start_line: int
    execution_count: int


class _File(msgspec.Struct):
    file: str
    lines: list[_Line]
    functions: list[_Function]


class _Document(msgspec.Struct):
    files: list[_File]


def coverage_of(text: bytes, file: str) -> Coverage:
    """What gcov's JSON says of one of the files that it knows by their paths.

    A line of which there are several copies (of a function that was inlined) was run if one of
    them was. Raises msgspec.DecodeError for what gcov does not write.
    """
    document = msgspec.json.decode(text, type=_Document)
    found = [one for one in document.files if one.file == file]
    lines = sorted((line for one in found for line in one.lines), key=attrgetter("line_number"))
    functions = sorted(
        (_function(function) for one in found for function in one.functions),
        key=lambda function: (function.line, function.name),
    )
    return Coverage(file, tuple(_lines(lines)), tuple(functions))


def _lines(lines: Iterable[_Line]) -> Iterator[Line]:
    for number, group in groupby(lines, attrgetter("line_number")):
        copies = list(group)
        branches = tuple(branch.count for line in copies for branch in line.branches)
        yield Line(number, sum(line.count for line in copies), branches)


def _function(function: _Function) -> Function:
    return Function(function.name, function.start_line, function.execution_count)
