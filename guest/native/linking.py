# SPDX-License-Identifier: MIT
"""Objects to one shared object; what nothing provides becomes a stub that says so when touched."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from guest.native.compiler import Compiler
from guest.native.errors import BuildError
from guest.native.keeping import content_digest, digest_of, temporary, trim, used, write_whole
from guest.native.recipe import LINKER_SCRIPT

LIBRARIES_KEPT: Final = 48  # some ten megabytes each; all historical bugs have half as many
STUB_BYTES: Final = 4096
FILES_EACH: Final = 2  # a shared object, and what is noted of it

# Functions that the shim stands before: the kernel's, and the end of counting what is run.
WRAPPED: Final = ("hv_ringbuffer_write", "vmbus_setevent", "pci_get_device", "__request_region")
_WRAPPED_TOO: Final = ("__gcov_exit",)

_ARGUMENTS: Final = (
    *("-shared", "-Wl,-z,defs", "-Wl,--gc-sections", "-Wl,-z,norelro"),
    *("-Xlinker", "-T", "-Xlinker", str(LINKER_SCRIPT)),
    *(f"-Wl,--wrap={name}" for name in (*WRAPPED, *_WRAPPED_TOO)),
)
_LIBRARIES: Final = ("-lgcov",)  # of which only a driver that counts its lines takes anything
_GCOVS: Final = "__gcov_"
# What the linker makes: ends of sections, and the inside of a wrapped function.
_LINKERS_FIRST: Final = "__real_"
_LINKERS_ENDS: Final = ("_start", "_end")
_WANTED: Final = "U"
_WEAK: Final = frozenset("vw")  # named, but nobody minds if it is nowhere
_LINKERS_OWN: Final = frozenset({"_GLOBAL_OFFSET_TABLE_", "__ehdr_start", "_end"})


class Linked(msgspec.Struct, frozen=True):
    """What is kept beside a shared object: its digest, what it cost, and what is a stub in it."""

    digest: str
    stubs: tuple[str, ...]


class Library(NamedTuple):
    """A shared object, and its stubs."""

    path: Path
    stubs: tuple[str, ...]


class Objects(NamedTuple):
    """What is linked. Below ``core`` there is a C library; below the kernel's there is the core."""

    kernel: tuple[Path, ...]
    core: tuple[Path, ...]


class Linker:
    """The shared objects of one cache folder, each kept by the objects in it."""

    def __init__(self, folder: Path, compiler: Compiler) -> None:
        self._folder = folder
        self._compiler = compiler

    def find(self, objects: Objects) -> Library | None:
        """The shared object of these, if it is here and whole."""
        target = self._target(objects)
        note = target.with_suffix(".json")
        try:
            linked = msgspec.json.decode(note.read_bytes(), type=Linked)
        except (OSError, msgspec.DecodeError):
            return None
        if content_digest(target) != linked.digest:
            return None
        used(target)
        used(note)
        return Library(target, linked.stubs)

    def link(self, objects: Objects) -> Library:
        """Make it. Raises :class:`BuildError` with what the linker says."""
        target, stubs = self._target(objects), missing(objects)
        making, source = temporary(self._folder, ".so"), temporary(self._folder, ".S")
        try:
            source.write_text(_stub_text(stubs))
            files = map(str, (*objects.kernel, *objects.core, source))
            arguments = (*_ARGUMENTS, "-o", str(making), *files, *_LIBRARIES)
            self._compiler.run(arguments, "the shared object")
            linked = Linked(content_digest(making), stubs)
            making.replace(target)
            write_whole(target.with_suffix(".json"), msgspec.json.encode(linked))
        finally:
            for left in (making, source):
                left.unlink(missing_ok=True)
        trim(self._folder, "driver-*", LIBRARIES_KEPT * FILES_EACH)
        return Library(target, stubs)

    def _target(self, objects: Objects) -> Path:
        """Objects are called after what is in them."""
        names = [path.name for path in (*objects.kernel, *objects.core)]
        key = "\0".join((*names, content_digest(LINKER_SCRIPT), *_ARGUMENTS))
        return self._folder / f"driver-{digest_of(key.encode())}.so"


def missing(objects: Objects) -> tuple[str, ...]:
    """What the kernel's objects name and none of all objects defines, sorted."""
    symbols = list(_symbols(objects.kernel))
    wanted = {name for kind, name in symbols if kind == _WANTED}
    known = [*symbols, *_symbols(objects.core)]
    defined = {name for kind, name in known if kind != _WANTED and kind not in _WEAK}
    return tuple(sorted(name for name in wanted - defined if not _is_the_linkers(name)))


def _symbols(objects: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """(kind, name) of every symbol, as nm has them."""
    command = ["nm", "--format=posix", *map(str, objects)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except FileNotFoundError:
        raise BuildError("nm is needed to build the driver: apt-get install binutils") from None
    except subprocess.CalledProcessError as error:
        raise BuildError(f"nm cannot read what gcc made: {error.stderr.strip()}") from None
    for line in done.stdout.splitlines():
        name, kind, *_ = (*line.split(), "", "")
        if kind:  # else it names the file
            yield kind, name


def _is_the_linkers(name: str) -> bool:
    ours = name.startswith("vx_") and name.endswith(_LINKERS_ENDS)
    return ours or name.startswith((_LINKERS_FIRST, _GCOVS)) or name in _LINKERS_OWN


def _stub_text(names: Sequence[str]) -> str:
    """Assembly in which each of these symbols has a page; nobody may touch it (core/stubs.c)."""
    pages = [f"\t.globl {name}\n\t.hidden {name}\n{name}:\t.skip {STUB_BYTES}\n" for name in names]
    table = [f"\t.quad .L{place}\n" for place in range(len(names))]
    text = [f'.L{place}:\t.asciz "{name}"\n' for place, name in enumerate(names)]
    return "".join(
        (
            '\t.section .vx_stubs, "aw", @nobits\n',
            *pages,
            '\t.section .data.rel.ro, "aw"\n',
            "\t.globl vx_stub_names\n\t.hidden vx_stub_names\nvx_stub_names:\n",
            *table,
            "\t.section .rodata\n",
            *text,
            '\t.section .note.GNU-stack, "", @progbits\n',
        )
    )
