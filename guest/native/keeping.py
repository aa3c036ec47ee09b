# SPDX-License-Identifier: MIT
"""The cache folder: where it is, nothing made twice at once, whole files only, and not too many.

Knows no compiler and no tree. What is made is renamed into place when it is whole, so that a build
that is killed leaves nothing that looks finished.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, EFBIG, ENOSPC
from fcntl import LOCK_EX, LOCK_NB, flock
from hashlib import sha256
from pathlib import Path
from time import time
from typing import Final

from guest.native.errors import BuildError
from guest.native.progress import Progress

DIGEST_CHARACTERS: Final = 24
UNFINISHED: Final = "making-"  # begins the names of what is not whole yet
UNFINISHED_MAX_S: Final = 3600.0
LOCKS_KEPT: Final = 256
_FULL: Final = (ENOSPC, EDQUOT, EFBIG)


def cache_folder() -> Path:
    """Where built and unpacked things are kept: ``$XDG_CACHE_HOME/vpcisim``, else ``~/.cache``."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "vpcisim"


@contextmanager
def one_at_a_time(cache: Path, what: str, progress: Progress) -> Iterator[None]:
    """Wait for whoever is making the same thing: it is then there to be used.

    The lock is the system's, so that it goes with a process that is killed. Raises
    :class:`BuildError`, with the remedy, for a folder that cannot be used.
    """
    try:
        locks = cache / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        with (locks / digest_of(what.encode())).open("w") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                progress("waiting for another build", 0, 1)
                flock(lock, LOCK_EX)
            _sweep(cache)
            yield
        trim(locks, "*", LOCKS_KEPT)
    except OSError as error:
        raise _unusable(cache, error) from None


def _unusable(cache: Path, error: OSError) -> BuildError:
    what = f"{error.filename or cache}: {error.strerror or error}"
    if error.errno in _FULL:
        return BuildError(f"{what}; make room below {cache}, or name another XDG_CACHE_HOME")
    return BuildError(f"{what}; mend or remove {cache}, or name another XDG_CACHE_HOME")


def temporary(folder: Path, suffix: str) -> Path:
    """An empty file that is nobody else's, to be renamed into place when it is whole."""
    handle, name = tempfile.mkstemp(dir=folder, prefix=UNFINISHED, suffix=suffix)
    os.close(handle)
    return Path(name)


def write_whole(target: Path, data: bytes) -> None:
    """The file with this content, or as it was before."""
    target.parent.mkdir(parents=True, exist_ok=True)
    making = temporary(target.parent, target.suffix)
    try:
        making.write_bytes(data)
        making.replace(target)
    finally:
        making.unlink(missing_ok=True)


def digest_of(data: bytes) -> str:
    """What a content is known by."""
    return sha256(data).hexdigest()[:DIGEST_CHARACTERS]


def content_digest(path: Path) -> str:
    """Of a file's content; "" for one that cannot be read."""
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return ""


def used(path: Path) -> None:
    """Count a kept file among the last that were used; a folder of another's stays as it is."""
    with suppress(OSError):
        os.utime(path)


def trim(folder: Path, pattern: str, keep: int) -> None:
    """Remove all but the files that were used last."""
    for path in _by_last_use(folder.glob(pattern))[keep:]:
        path.unlink(missing_ok=True)


def trim_folders(folder: Path, keep: int) -> None:
    """Remove all but the folders in this one that were used last."""
    for path in _by_last_use(folder.iterdir())[keep:]:
        shutil.rmtree(path, ignore_errors=True)


def _sweep(cache: Path) -> None:
    """Remove what a killed build left half made: what is so old that nobody can be at it."""
    oldest = time() - UNFINISHED_MAX_S
    for path in (*cache.glob(f"{UNFINISHED}*"), *cache.glob(f"*/{UNFINISHED}*")):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _by_last_use(paths: Iterable[Path]) -> list[Path]:
    return sorted(paths, key=_last_use, reverse=True)


def _last_use(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:  # somebody else has removed it
        return 0
