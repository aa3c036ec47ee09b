# SPDX-License-Identifier: MIT
"""Compiled files, kept by what went into them: source, every header read, flags, compiler.

An object is used again if all of that is as it was, and if it is still what the compiler made.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from guest.native.compiler import Compiler
from guest.native.keeping import content_digest, digest_of, temporary, trim, used, write_whole

FILES_KEPT: Final = 8192  # whose digests are remembered within one process
OBJECTS_KEPT: Final = 2048  # some fifteen builds that have nothing in common


class Unit(NamedTuple):
    """One file to compile; ``name`` is what messages call it."""

    name: str
    source: Path
    flags: tuple[str, ...]


class Made(msgspec.Struct, frozen=True):
    """What an object was made from: each file read, with its digest; and the object's own.

    ``notes`` is the digest of what gcc has noted for gcov, "" if it was not asked for that.
    """

    inputs: dict[str, str]
    object: str
    notes: str = ""


class ObjectStore:
    """The objects of one cache folder."""

    def __init__(self, folder: Path, compiler: Compiler, overlay: Sequence[str]) -> None:
        """``overlay``: headers that hide others; a new one is in no list of what was read."""
        self._folder = folder
        self._compiler = compiler
        self._around = [repr(compiler), *overlay]
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, unit: Unit) -> Path | None:
        """The unit's object, if it is here and nothing that it was made from has changed."""
        manifest = self._manifest(unit)
        try:
            made = msgspec.json.decode(manifest.read_bytes(), type=Made)
        except (OSError, msgspec.DecodeError):
            return None
        target = self._object(made)
        fresh = all(_digest_of_file(path) == digest for path, digest in made.inputs.items())
        whole = (content_digest(target), content_digest(notes_of(target)))
        if not fresh or whole != (made.object, made.notes):
            return None
        for path in (manifest, target, notes_of(target)):
            used(path)
        return target

    def compile(self, unit: Unit) -> Path:
        """The unit's object. Raises :class:`BuildError` with gcc's first errors."""
        return self.find(unit) or self._made(unit)

    def trim(self) -> None:
        """Forget what has not been used for long."""
        trim(self._folder, "*", OBJECTS_KEPT * 2)

    def _made(self, unit: Unit) -> Path:
        making, listing = (temporary(self._folder, suffix) for suffix in (".o", ".d"))
        try:
            depends = ("-MD", "-MT", "object", "-MF", str(listing))
            arguments = (*unit.flags, *depends, "-c", str(unit.source), "-o", str(making))
            self._compiler.run(arguments, unit.name)
            inputs = {path: _digest_of_file(path) for path in _listed(listing.read_text())}
            made = Made(inputs, content_digest(making), content_digest(notes_of(making)))
            target = self._object(made)
            if made.notes:
                notes_of(making).replace(notes_of(target))
            making.replace(target)
            write_whole(self._manifest(unit), msgspec.json.encode(made))
        finally:
            for left in (making, listing, notes_of(making)):
                left.unlink(missing_ok=True)
        return target

    def _object(self, made: Made) -> Path:
        return self._folder / f"{made.object}.o"

    def _manifest(self, unit: Unit) -> Path:
        parts = (unit.name, str(unit.source), *unit.flags, *self._around)
        return self._folder / f"{digest_of(chr(0).join(parts).encode())}.json"


def notes_of(target: Path) -> Path:
    """Where gcc puts an object's notes for gcov, if it makes any."""
    return target.with_suffix(".gcno")


def _listed(rule: str) -> list[str]:
    """The files of a make rule that gcc wrote: ``object: FILE FILE``, with make's escapes."""
    _, _, files = rule.replace("\\\n", " ").partition(":")
    names = re.findall(r"(?:\\.|[^\\\s])+", files)
    return [re.sub(r"\\([ #])", r"\1", name).replace("$$", "$") for name in names]


def _digest_of_file(path: str) -> str:
    """Of its content; "" for a file that is gone."""
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    return _digest_of_version(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=FILES_KEPT)
def _digest_of_version(path: str, _mtime_ns: int, _size: int) -> str:
    return content_digest(Path(path))
