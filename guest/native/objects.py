# SPDX-License-Identifier: MIT
"""Compiled files, kept by what went into them: source, every header read, flags, compiler.

An object is used again if all of that is as it was, and if it is still what the compiler made.
Headers that many files begin with are read once (gcc's precompiled headers). That makes a build
shorter and changes nothing in it: where it does not work, a file is compiled without.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from guest.native.compiler import Compiler
from guest.native.errors import BuildError
from guest.native.keeping import content_digest, digest_of, temporary, trim, used, write_whole
from guest.native.units import PRECOMPILED, Unit

FILES_KEPT: Final = 8192  # whose digests are remembered within one process
OBJECTS_KEPT: Final = 2048  # some fifteen builds that have nothing in common
PRECOMPILED_KEPT: Final = 6  # of two trees; some 50 MB each
FILES_WORTH_IT: Final = 4  # that begin with the same headers: else reading them takes no longer


class Made(msgspec.Struct, frozen=True):
    """What an object was made from: each file read, with its digest; and the object's own.

    ``notes`` is the digest of what gcc has noted for gcov, "" if it was not asked for that.
    """

    inputs: dict[str, str]
    object: str
    notes: str = ""


class _Headers(NamedTuple):
    """Headers that have been read once; ``path`` without the end that gcc adds."""

    path: Path
    inputs: dict[str, str]


class ObjectStore:
    """The objects of one cache folder."""

    def __init__(self, folder: Path, compiler: Compiler, overlay: Sequence[str]) -> None:
        """``overlay``: headers that hide others; a new one is in no list of what was read."""
        self._folder = folder
        self._compiler = compiler
        self._around = [repr(compiler), *overlay]
        self._read: dict[Unit, _Headers] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, unit: Unit) -> Path | None:
        """The unit's object, if it is here and nothing that it was made from has changed."""
        return self._found(unit, _digest_of_file)

    def find_all(self, units: Iterable[Unit]) -> Iterator[Path | None]:
        """Each unit's object; a file that many of them have read is looked at once."""
        looked_at = cache(_digest_of_file)
        return (self._found(unit, looked_at) for unit in units)

    def compile(self, unit: Unit) -> Path:
        """The unit's object. Raises :class:`BuildError` with gcc's first errors."""
        return self.find(unit) or self.make(unit)

    def make(self, unit: Unit) -> Path:
        """Compile it, whatever there is. Raises :class:`BuildError` with gcc's first errors."""
        headers = self._read.get(unit.common) if unit.common else None
        if headers is not None:
            try:
                return self._made_with(unit, unit.after(headers.path), headers.inputs)
            except BuildError:
                pass  # what is wrong with the file, it says without them
        return self._made_with(unit, unit.whole(), {})

    def begin(self, units: Iterable[Unit]) -> list[Unit]:
        """The headers that :meth:`read` should read before these units are compiled."""
        wanted = Counter(unit.common for unit in units if unit.common)
        return [
            common
            for common, files in wanted.items()
            if files >= FILES_WORTH_IT or self.find(common) is not None
        ]

    def read(self, common: Unit) -> None:
        """Read headers for what is compiled from now on; it does without those gcc cannot read."""
        try:
            path = self.compile(common)
            made = msgspec.json.decode(self._manifest(common).read_bytes(), type=Made)
        except (BuildError, OSError):
            return
        self._read[common] = _Headers(path.with_suffix(""), made.inputs)

    def trim(self) -> None:
        """Forget what has not been used for long."""
        trim(self._folder, f"*{PRECOMPILED}", PRECOMPILED_KEPT)
        trim(self._folder, "*", OBJECTS_KEPT * 2)

    def _found(self, unit: Unit, digest_of_input: Callable[[str], str]) -> Path | None:
        manifest = self._manifest(unit)
        try:
            made = msgspec.json.decode(manifest.read_bytes(), type=Made)
        except (OSError, msgspec.DecodeError):
            return None
        target = self._object(unit, made)
        fresh = all(digest_of_input(path) == digest for path, digest in made.inputs.items())
        if not fresh or content_digest(target) != made.object:
            return None
        if content_digest(notes_of(target)) != made.notes:
            return None
        for path in (manifest, target, notes_of(target)):
            used(path)
        return target

    def _made_with(self, unit: Unit, flags: Sequence[str], headers: dict[str, str]) -> Path:
        making, listing = (temporary(self._folder, end) for end in (unit.makes, ".d"))
        try:
            depends = ("-MD", "-MT", "object", "-MF", str(listing))
            arguments = (*self._names(unit), *depends, "-c", str(unit.source), "-o", str(making))
            self._compiler.run((*flags, *arguments), unit.name)
            inputs = {path: _digest_of_file(path) for path in _listed(listing.read_text())}
            made = Made(headers | inputs, content_digest(making), content_digest(notes_of(making)))
            target = self._object(unit, made)
            if made.notes:
                notes_of(making).replace(notes_of(target))
            making.replace(target)
            write_whole(self._manifest(unit), msgspec.json.encode(made))
        finally:
            for left in (making, listing, notes_of(making)):
                left.unlink(missing_ok=True)
        return target

    def _names(self, unit: Unit) -> tuple[str, ...]:
        """A header of the unit's own: behind what others have in common with it."""
        if not unit.names:
            return ()
        data = unit.names.encode()
        header = self._folder / f"{digest_of(data)}.h"
        if content_digest(header) != digest_of(data):
            write_whole(header, data)
        return ("-include", str(header))

    def _object(self, unit: Unit, made: Made) -> Path:
        return self._folder / f"{made.object}{unit.makes}"

    def _manifest(self, unit: Unit) -> Path:
        parts = (repr(unit), *self._around)
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
