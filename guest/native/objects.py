# SPDX-License-Identifier: MIT
"""Compiled files, kept by what went into them: source, every header read, flags, compiler.

An object is used again if all of that is as it was. Two builds at once do no harm: what is made is
renamed into place when it is whole.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from guest.native.compiler import Compiler

FILES_KEPT = 8192  # whose digests are remembered within one build


class Unit(NamedTuple):
    """One file to compile; ``name`` is what messages call it."""

    name: str
    source: Path
    flags: tuple[str, ...]


class Made(msgspec.Struct, frozen=True):
    """What an object was made from: each file read, with its digest."""

    inputs: dict[str, str]


class ObjectStore:
    """The objects of one cache folder."""

    def __init__(self, folder: Path, compiler: Compiler, overlay: Sequence[str]) -> None:
        """``overlay``: headers that hide others; a new one is in no list of what was read."""
        self._folder = folder
        self._compiler = compiler
        self._around = [repr(compiler), *overlay]
        folder.mkdir(parents=True, exist_ok=True)

    def compile(self, unit: Unit) -> Path:
        """The unit's object. Raises :class:`BuildError` with gcc's first errors."""
        key = _digest([unit.name, str(unit.source), *unit.flags, *self._around])
        target, manifest = self._folder / f"{key}.o", self._folder / f"{key}.json"
        if target.exists() and _is_fresh(manifest):
            return target
        made, listing = (temporary(self._folder, suffix) for suffix in (".o", ".d"))
        try:
            arguments: tuple[str | Path, ...] = (
                *unit.flags,
                "-MD",
                "-MF",
                listing,
                "-c",
                unit.source,
                "-o",
                made,
            )
            self._compiler.run(arguments, unit.name)
            inputs = {path: _digest_of_file(path) for path in _listed(listing)}
            manifest_made = temporary(self._folder, ".json")
            manifest_made.write_bytes(msgspec.json.encode(Made(inputs)))
            os.replace(made, target)
            os.replace(manifest_made, manifest)
        finally:
            for left in (made, listing):
                left.unlink(missing_ok=True)
        return target


def temporary(folder: Path, suffix: str) -> Path:
    """An empty file that is nobody else's, to be renamed into place when it is whole."""
    handle, name = tempfile.mkstemp(dir=folder, prefix="making-", suffix=suffix)
    os.close(handle)
    return Path(name)


def _is_fresh(manifest: Path) -> bool:
    try:
        made = msgspec.json.decode(manifest.read_bytes(), type=Made)
    except (OSError, msgspec.DecodeError):
        return False
    return all(_digest_of_file(path) == digest for path, digest in made.inputs.items())


def _listed(listing: Path) -> list[str]:
    """The files of a make rule that gcc wrote."""
    _, _, files = listing.read_text().replace("\\\n", " ").partition(":")
    return files.split()


def _digest(parts: Sequence[str]) -> str:
    return sha256("\0".join(parts).encode()).hexdigest()[:24]


def _digest_of_file(path: str) -> str:
    """Of its content; "" for a file that is gone."""
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return _digest_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=FILES_KEPT)
def _digest_of_version(path: str, _mtime_ns: int, _size: int) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()[:24]
