# SPDX-License-Identifier: MIT
"""Finds the commands that the documents show, and compares what they print with what is shown.

A document shows commands in ``console`` blocks: ``$ COMMAND``, then its output. In the output ``…``
stands for what is measured or left out: within a line for any text, on a line of its own for any
number of lines. A block that names one of Debian's kernel archives needs it. Knows no document.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from tests.house.sources import ROOT

# As Debian's packages install them, so that a reader can paste the commands.
_ARCHIVE = re.compile(r"/usr/src/linux-source-([0-9.]+)\.tar\.xz")
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MAIN = "import sys; from sim.cli import main; sys.exit(main(sys.argv[1:]))"
_LONG_WINDED = frozenset({"CI", "BUILD_NUMBER"})  # where pytest cuts no line of its summary
SECONDS_MAX = 300  # the slowest waits until others have built the real driver, or is a benchmark


class Shown(NamedTuple):
    """A command as a document shows it: where, the line after ``$``, the lines below.

    ``kernels`` are the versions of the Linux archives that its block names.
    """

    place: str
    command: str
    output: tuple[str, ...]
    kernels: frozenset[str] = frozenset()


def shown_in(document: Path) -> Iterator[Shown]:
    """The commands of one document, in its order."""
    text = document.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        number = text.count("\n", 0, block.start()) + 2
        command, output, at = "", list[str](), number
        kernels = frozenset(_ARCHIVE.findall(block[1]))
        for offset, line in enumerate(block[1].splitlines()):
            if line.startswith("$ "):
                if command:
                    yield Shown(f"{document.name}:{at}", command, tuple(output), kernels)
                command, output, at = line[2:], [], number + offset
            else:
                output.append(line)
        assert command, f"{document.name}:{number}: a console block begins with a command"
        yield Shown(f"{document.name}:{at}", command, tuple(output), kernels)


def with_trees(command: str, trees: Mapping[str, Path]) -> str:
    """The command for this machine, whose trees may lie elsewhere."""
    return _ARCHIVE.sub(lambda archive: str(trees[archive[1]]), command)


def make_recipe(target: str) -> list[str]:
    """The lines of a target in the Makefile, as make would print them."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    found = re.search(rf"^{target}:.*\n((?:\t.*\n)*)", text, re.MULTILINE)
    assert found, f"the Makefile has no target {target}"
    lines = [line.lstrip("\t@") for line in found[1].splitlines()]
    return [line.replace("$(BIN)", ".venv/bin") for line in lines]


class Shell:
    """A shell in a folder of its own that knows ``vpcisim``, pytest and the project's examples."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        programs = folder / "bin"
        programs.mkdir()
        self._install(programs / "vpcisim", f"-c '{_MAIN}'")
        self._install(programs / "python", "")
        self._install(programs / "pytest", "-m pytest -p no:cacheprovider")
        (folder / "pytest.ini").touch()  # or the root would be where the examples are
        (folder / "examples").symlink_to(ROOT / "examples")
        self._environment = {
            **{name: value for name, value in os.environ.items() if name not in _LONG_WINDED},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTEST_PLUGINS": "sim.pytest_plugin",  # as installed; a checkout may not be
            "COLUMNS": "100",
        }

    def _install(self, program: Path, arguments: str) -> None:
        program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        program.chmod(0o755)

    def run(self, command: str) -> str:
        """What the command prints, on both streams in their order."""
        done = subprocess.run(
            command,
            shell=True,
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS_MAX,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return done.stdout


def matches(shown: tuple[str, ...], printed: str) -> bool:
    """Whether the output is what a document shows."""
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line == "…" else _line_pattern(line) + r"\n" for line in shown
    )
    lines = "".join(f"{line.rstrip()}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, lines) is not None


def _line_pattern(line: str) -> str:
    return "[^\n]*?".join(re.escape(part) for part in line.rstrip().split("…"))
