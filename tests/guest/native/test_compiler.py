# SPDX-License-Identifier: MIT
"""gcc as it may be found on a machine: missing, too old, without room, or strange of speech."""

from pathlib import Path

import pytest

from guest.native.compiler import Compiler, find_compiler
from guest.native.errors import BuildError


def script(folder: Path, name: str, *lines: str) -> str:
    """A program of that name that does this."""
    path = folder / name
    path.write_text("\n".join(("#!/bin/sh", *lines, "")))
    path.chmod(0o755)
    return str(path)


def test_a_machine_without_gcc_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="apt-get install gcc"):
        find_compiler(str(tmp_path / "gcc"))


def test_a_gcc_that_does_not_run_counts_as_none(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="apt-get install gcc"):
        find_compiler(script(tmp_path, "gcc", "exit 1"))


@pytest.mark.parametrize("version", ["10.2.1", "9"])
def test_a_gcc_that_is_too_old_is_told_which_will_do(tmp_path: Path, version: str) -> None:
    with pytest.raises(BuildError, match=r"too old: 11 or newer; apt-get install gcc"):
        find_compiler(script(tmp_path, "gcc", f"echo {version}"))


@pytest.mark.parametrize(("said", "meant"), [("11", (11, 0, 0)), ("14.2.0", (14, 2, 0))])
def test_a_gcc_that_will_do_tells_its_version(
    tmp_path: Path, said: str, meant: tuple[int, int, int]
) -> None:
    assert find_compiler(script(tmp_path, "gcc", f"echo {said}")).version == meant


@pytest.mark.parametrize(
    "said",
    [
        "ld: final link failed: No space left on device",
        "cc1: error: closing dependency file it.d: Disk quota exceeded",
        "gcc: fatal error: File size limit exceeded signal terminated program as",
        "it.c:1: fatal error: can't write it.o: File too large",
    ],
)
def test_what_has_no_room_is_told_where_to_make_some(tmp_path: Path, said: str) -> None:
    gcc = Compiler(script(tmp_path, "gcc", f'echo "{said}" >&2', "exit 1"), (12, 2, 0))
    with pytest.raises(BuildError, match=r"it\.c does not build: there is no room .* TMPDIR"):
        gcc.run([], "it.c")


def test_errors_that_have_no_line_are_told_by_their_end(tmp_path: Path) -> None:
    gcc = Compiler(script(tmp_path, "gcc", "echo it went wrong >&2", "exit 1"), (12, 2, 0))
    with pytest.raises(BuildError, match=r"it\.c does not build: it went wrong"):
        gcc.run([], "it.c")
