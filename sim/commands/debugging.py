# SPDX-License-Identifier: MIT
"""gdb on a schedule of the real driver: a fresh process replays it and stops at the violation."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Final, NoReturn

from guest.native.errors import BuildError

_OURS: Final = "guest/native"
# Faults of guest code are the C core's, which comes to vx_finding() with them, on their stack.
# The breakpoint is the processor's: for one in the code gdb would write registers, which it cannot
# while GS is as a kernel has it. The frame chosen is the innermost one outside of the lab's C code.
_COMMANDS: Final = (
    *("set pagination off", "set confirm off", "set breakpoint pending on"),
    "set debuginfod enabled off",
    "handle SIGSEGV SIGBUS SIGILL SIGFPE SIGVTALRM nostop noprint pass",
    *("hbreak vx_finding", "run", 'printf "%s\\n", kind', "backtrace 24"),
    "python file_of = lambda frame: str(frame.find_sal().symtab)",
    "python chain = lambda frame: [] if frame is None else [frame, *chain(frame.older())]",
    "python frames = chain(gdb.newest_frame())",
    f"python theirs = [each for each in frames if {_OURS!r} not in file_of(each)]",
    "python theirs[0].select() if theirs else None",
    *("frame", "list"),
)


def debug(file: Path) -> NoReturn:
    """Become gdb. Raises BuildError without one."""
    gdb = shutil.which("gdb")
    if gdb is None:
        raise BuildError("--gdb needs gdb: apt-get install gdb")
    asked = [part for command in _COMMANDS for part in ("-ex", command)]
    replay = [sys.executable, "-c", "from sim.cli import main; main()", "replay", str(file)]
    sys.stdout.flush()
    os.execv(gdb, [gdb, "-q", *asked, "--args", *replay])
