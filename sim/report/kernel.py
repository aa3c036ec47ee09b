# SPDX-License-Identifier: MIT
"""A built driver, for people and for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from guest.native.build import Build, Found


def build_dict(built: Build) -> dict[str, Any]:
    """What ``--json`` prints; ``stubs`` are symbols that the tree names and nothing provides."""
    return {**built._asdict(), "seconds": round(built.seconds, 2)}


def found_dict(tree: Path, found: Found) -> dict[str, Any]:
    """The same of what may not be built: then it has no object."""
    library = found.library
    return {
        "tree": tree,
        "version": found.version,
        "driver_file": found.driver_file,
        "shared_object": library and library.path,
        "cached": library is not None,
        "seconds": round(found.seconds, 2),
        "real_files": found.real_files,
        "stubs": library.stubs if library else (),
    }


def build_lines(built: Build) -> list[str]:
    """What it is and where."""
    how = "was there already" if built.cached else f"built in {built.seconds:.1f} s"
    return [
        f"Linux {built.version}, {how}",
        f"driver  {built.driver_file}",
        f"object  {built.shared_object}",
        f"real    {len(built.real_files)} files of the tree",
    ]


def found_lines(found: Found) -> Iterator[str]:
    """The same, with the tree's files by folder and what is only a stub."""
    library = found.library
    yield f"Linux {found.version}, {'built' if library else 'not built as it is now'}"
    yield f"driver  {found.driver_file}"
    yield f"object  {library.path if library else '-'}"
    yield f"real    {len(found.real_files)} files of the tree"
    yield from _folders(found.real_files)
    if library:
        yield f"stubs   {len(library.stubs)}; a schedule that reaches one says which"
        yield from (f"        {name}" for name in library.stubs)


def _folders(names: Sequence[str]) -> Iterator[str]:
    folders = Counter(str(PurePosixPath(name).parent) for name in names)
    width = max(map(len, folders))
    for folder, count in sorted(folders.items()):
        yield f"        {folder:<{width}}  {count}"
