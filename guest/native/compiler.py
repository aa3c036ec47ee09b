# SPDX-License-Identifier: MIT
"""gcc: found, asked for its version, and called. Knows no kernel file."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from guest.native.errors import BuildError

GCC_LEAST: Final = 11
ERRORS_SHOWN: Final = 3  # of one file: the rest follows from them
LAST_CHARACTERS: Final = 300
_AT_LINE: Final = re.compile(r"(?:.*/)?([^/\n]+:\d+):\d+: (?:fatal )?error: (.*)")
_ANYWHERE: Final = re.compile(r"(?:undefined reference|multiple definition|relocation|error:).*")
_FULL: Final = re.compile(r"No space left on device|Disk quota exceeded|File (?:size limit|too)")
_NO_ROOM: Final = (
    "there is no room for what gcc writes; make room in the cache folder and for temporary files,"
    " or name others as XDG_CACHE_HOME and TMPDIR"
)
_MISSING_GCC: Final = "gcc is needed to build the driver: apt-get install gcc"


class Compiler(NamedTuple):
    """A gcc that will do. ``version`` is (12, 2, 0)."""

    path: str
    version: tuple[int, int, int]

    @property
    def kconfig_version(self) -> int:
        """As CONFIG_GCC_VERSION has it."""
        major, minor, patch = self.version
        return major * 10_000 + minor * 100 + patch

    def run(self, arguments: Sequence[str | Path], what: str) -> None:
        """Call it. Raises :class:`BuildError` with the first errors; ``what`` is being built."""
        command = [self.path, *map(str, arguments)]
        spoken = {**os.environ, "LC_ALL": "C"}  # errors as the expression below knows them
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=spoken)
        if done.returncode:
            full = _FULL.search(done.stderr)
            why = _NO_ROOM if full else first_errors(done.stderr)
            raise BuildError(f"{what} does not build: {why}")


def find_compiler(path: str = "gcc") -> Compiler:
    """The machine's gcc. Raises :class:`BuildError` if it has none, or one that is too old."""
    try:
        done = subprocess.run(
            [path, "-dumpfullversion"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        raise BuildError(_MISSING_GCC) from None
    numbers = [int(number) for number in done.stdout.strip().split(".")]
    major, minor, patch = (*numbers, 0, 0)[:3]
    if major < GCC_LEAST:
        raise BuildError(f"gcc {major} is too old: {GCC_LEAST} or newer; apt-get install gcc")
    return Compiler(path, (major, minor, patch))


def first_errors(text: str) -> str:
    """What gcc or the linker says first, as ``probe.c:12: …``; else the end of what it says."""
    errors = [f"{place}: {what}" for place, what in _AT_LINE.findall(text)]
    errors = errors or _ANYWHERE.findall(text)
    return "; ".join(errors[:ERRORS_SHOWN]) or text.strip()[-LAST_CHARACTERS:]
