# SPDX-License-Identifier: MIT
"""An archive's plain files, one after the other. Knows no kernel.

What ``xz`` has packed, it unpacks itself where it is installed: in its own process and, if the
archive was packed in blocks, as Debian's are, on every core.
"""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

_XZ: Final = ("xz", "--decompress", "--stdout", "--threads=0")
_XZ_BEGINS: Final = b"\xfd7zXZ\0"
_PIPE_BYTES: Final = 1 << 20


def plain_files(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """(name, content) of each; the content is to be read before the next is asked for.

    Raises what tarfile, lzma and zlib raise for what is no archive, or not a whole one.
    """
    with _opened(archive) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                yield member.name, content


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    unpacking = _unpacking(archive)
    if unpacking is None:
        with tarfile.open(archive, "r|*") as tar:
            yield tar
        return
    with unpacking, tarfile.open(fileobj=unpacking.stdout, mode="r|") as tar:
        yield tar
        _end(unpacking)


def _unpacking(archive: Path) -> subprocess.Popen[bytes] | None:
    """xz at work, if it is installed and has packed this."""
    with archive.open("rb") as file:
        if not file.read(len(_XZ_BEGINS)).startswith(_XZ_BEGINS):
            return None
    command = (*_XZ, "--", str(archive))
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, bufsize=_PIPE_BYTES, stdout=pipe, stderr=pipe)
    except FileNotFoundError:
        return None


def _end(unpacking: subprocess.Popen[bytes]) -> None:
    """Behind the last file. Raises :class:`tarfile.ReadError` if xz was not done with all of it."""
    _, said = unpacking.communicate()
    if unpacking.returncode:
        raise tarfile.ReadError(said.decode(errors="replace").strip())
