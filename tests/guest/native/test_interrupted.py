# SPDX-License-Identifier: MIT
"""Builds that end in their midst, killed or without room: the next one is whole all the same."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guest.native.compiler import find_compiler
from guest.native.errors import BuildError
from guest.native.keeping import UNFINISHED, UNFINISHED_MAX_S, one_at_a_time
from guest.native.linking import Linker, Objects
from guest.native.objects import ObjectStore
from guest.native.progress import silent
from guest.native.tree import open_tree
from guest.native.units import Unit
from tests.guest.native.test_compiler import script
from tests.guest.native.test_tree import NEEDED, archive

ROOT = Path(__file__).parents[3]
CONTENT = bytes(range(256)) * 64
LIMIT_BYTES = 200  # less than anything that is made here

# What a process of its own does in the folder that it is given, with the gcc and xz of its PATH.
DOES = """
import resource, sys
from pathlib import Path
from guest.native.errors import BuildError
from guest.native.keeping import one_at_a_time
from guest.native.progress import silent
from tests.guest.native.test_interrupted import MAKES
folder, what, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    with one_at_a_time(folder, what, silent):
        MAKES[what](folder)
except BuildError as error:
    print(error)
"""


def compiled(folder: Path) -> Path:
    store = ObjectStore(folder / "objects", find_compiler(), ())
    return store.compile(Unit("it.c", folder / "it.c", ("-fPIC",)))


def linked(folder: Path) -> Path:
    objects = Objects((folder / "it.o",), (folder / "below.o",))
    return Linker(folder, find_compiler()).link(objects).path


def unpacked(folder: Path) -> Path:
    return open_tree(folder / "linux-source-1.0.tar.xz", folder, silent) / NEEDED


MAKES = {"compiled": compiled, "linked": linked, "unpacked": unpacked}
every_part = pytest.mark.parametrize("what", MAKES)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where there is all that the parts are made of."""
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "it.c").write_text("int named; int it(void) { return named; }\n")
    (folder / "below.c").write_text("int below(void) { return 1; }\n")
    try:
        compiler = find_compiler()
    except BuildError as error:
        pytest.skip(str(error))
    for name in ("it", "below"):
        compiler.run(["-fPIC", "-c", folder / f"{name}.c", "-o", folder / f"{name}.o"], name)
    archive(folder, **{f"linux/{NEEDED}": CONTENT})
    return folder


@pytest.fixture
def deadly(tmp_path: Path) -> Path:
    """Where a gcc and an xz lie that begin their work and then kill whoever wants it."""
    folder = tmp_path / "tools"
    folder.mkdir()
    half = 'while [ "$1" != -o ]; do shift; done; printf half > "$2"; kill -9 $PPID'
    script(folder, "gcc", '[ "$1" = -dumpfullversion ] && echo 12.2.0 && exit', half)
    script(folder, "xz", "printf half; kill -9 $PPID")
    return folder


def elsewhere(
    what: str, folder: Path, *, tools: Path | None = None, limit_bytes: int = 0
) -> subprocess.CompletedProcess[str]:
    """The part is made by another process."""
    path = os.pathsep.join((*([str(tools)] if tools else []), os.environ["PATH"]))
    return subprocess.run(
        [sys.executable, "-c", DOES, str(folder), what, str(limit_bytes)],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )


def is_whole(made: Path) -> bool:
    head = made.read_bytes()
    return head == CONTENT or head.startswith(b"\x7fELF")


@every_part
def test_what_a_killed_build_left_half_made_is_made_anew(
    what: str, folder: Path, deadly: Path
) -> None:
    assert elsewhere(what, folder, tools=deadly).returncode == -signal.SIGKILL
    waited: list[str] = []
    with one_at_a_time(folder, what, lambda told, _done, _total: waited.append(told)):
        assert is_whole(MAKES[what](folder))
    assert waited == [], "nobody holds it any more"


@every_part
def test_what_a_killed_build_left_is_swept_away_once_nobody_can_be_at_it(
    what: str, folder: Path, deadly: Path
) -> None:
    elsewhere(what, folder, tools=deadly)
    left = list(folder.rglob(f"{UNFINISHED}*"))
    assert left
    for path in left:
        os.utime(path, (path.stat().st_mtime - UNFINISHED_MAX_S - 1,) * 2)
    with one_at_a_time(folder, what, silent):
        assert not list(folder.rglob(f"{UNFINISHED}*"))


@every_part
def test_a_full_disk_is_told_with_the_remedy_and_leaves_nothing_half_made(
    what: str, folder: Path
) -> None:
    done = elsewhere(what, folder, limit_bytes=LIMIT_BYTES)
    assert "make room" in done.stdout, done.stderr
    assert "XDG_CACHE_HOME" in done.stdout
    assert not list(folder.rglob(f"{UNFINISHED}*"))
    assert is_whole(MAKES[what](folder))
