# SPDX-License-Identifier: MIT
"""The user's Linux: a folder, or an archive of which the needed parts are unpacked once.

Unpacked trees lie in the user's cache folder. Knows what a build needs only from ``sources``.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO, Final

from guest.native.archive import plain_files
from guest.native.errors import BuildError
from guest.native.keeping import UNFINISHED, digest_of, trim_folders, used
from guest.native.progress import Progress
from guest.native.sources import FILES, FOLDERS, HEADER_FOLDERS

TREES_KEPT: Final = 6  # some 80 MB each
_WANTED: Final = (FILES, FOLDERS, HEADER_FOLDERS)


def open_tree(path: Path, cache: Path, progress: Progress) -> Path:
    """The tree's folder. Raises :class:`BuildError` for what is neither a tree nor an archive."""
    if path.is_dir():
        return path.resolve()
    folder = _folder_of(path, cache)
    if folder.is_dir():
        used(folder)
        return folder
    progress(f"unpacking {path.name}", 0, 1)
    _unpack(path, folder)
    trim_folders(folder.parent, TREES_KEPT)
    return folder


def _folder_of(path: Path, cache: Path) -> Path:
    """Where an archive is unpacked: called by its place, size and time."""
    if not path.exists():
        raise BuildError(
            f"{path}: no such tree; give a Linux tree or an archive such as Debian's"
            " linux-source-6.12.tar.xz (apt-get install linux-source-6.12)"
        )
    stat = path.stat()
    key = digest_of(f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {_WANTED}".encode())
    return cache / "trees" / key


def _unpack(archive: Path, folder: Path) -> None:
    """Into a folder beside it first, so that none is left half way."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=UNFINISHED))
    try:
        for name, content in plain_files(archive):
            wanted = _wanted(name)
            if wanted is not None:
                _write(making / wanted, content)
        making.rename(folder)
    except (tarfile.TarError, LZMAError, EOFError, zlib.error) as error:
        raise BuildError(
            f"{archive}: no archive of Linux sources: {error}; give a whole linux-source-*.tar.xz"
        ) from None
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write(target: Path, content: IO[bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _wanted(name: str) -> str | None:
    """A file's path below the tree, if a build needs it."""
    parts = PurePosixPath(name).parts[1:]
    path = "/".join(parts)
    if not parts or ".." in parts:
        return None
    header = path.endswith(".h") and parts[0] in HEADER_FOLDERS
    needed = path in FILES or header or any(path.startswith(f"{folder}/") for folder in FOLDERS)
    return path if needed else None
