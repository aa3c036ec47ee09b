# SPDX-License-Identifier: MIT
"""From a Linux tree to a shared object that holds the driver, the kernel around it and our shim.

No kbuild and no root: the tree's files are compiled one by one with the headers that its own build
would have generated. What the kernel's files name and nothing provides becomes a stub that says so
when it is reached.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from guest.native.compiler import find_compiler
from guest.native.edits.applying import applied
from guest.native.edits.record import Edit, EditDoesNotFit
from guest.native.errors import BuildError
from guest.native.headers import version_of, write_headers
from guest.native.keeping import content_digest, digest_of, one_at_a_time, write_whole
from guest.native.linking import Library, Linker, Objects
from guest.native.objects import ObjectStore
from guest.native.progress import Progress, silent
from guest.native.recipe import OVERLAY, Recipe
from guest.native.sources import DRIVER
from guest.native.tree import open_tree
from guest.native.units import Unit


class Build(NamedTuple):
    """A built driver. ``real_files`` are those of the tree; ``stubs`` what nothing provides."""

    tree: Path
    version: str
    driver_file: Path
    driver_object: Path
    shared_object: Path
    cached: bool
    seconds: float
    real_files: tuple[str, ...]
    stubs: tuple[str, ...]


def build(
    path: Path,
    *,
    cache: Path,
    driver_file: Path | None = None,
    edits: Sequence[Edit] = (),
    driver_flags: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Build:
    """Build the driver of a tree, or a changed copy of it against that tree.

    ``edits`` are put into a copy; ``driver_flags`` are gcc's, for the driver's file alone. Raises
    :class:`BuildError` for what the machine or the tree lacks, and for an edit that the driver has
    no place for.
    """
    begin = perf_counter()
    maker = _maker(path, cache, progress, driver_file, edits, driver_flags)
    library = maker.find()
    cached = library is not None
    if library is None:
        with one_at_a_time(cache, maker.name, progress):
            library = maker.find() or maker.make(progress)
    recipe = maker.recipe
    return Build(
        tree=path,
        version=maker.version,
        driver_file=recipe.driver,
        driver_object=maker.driver_object(),
        shared_object=library.path,
        cached=cached,
        seconds=perf_counter() - begin,
        real_files=recipe.real_files(),
        stubs=library.stubs,
    )


def _maker(
    path: Path,
    cache: Path,
    progress: Progress,
    driver_file: Path | None,
    edits: Sequence[Edit] = (),
    driver_flags: tuple[str, ...] = (),
) -> _Maker:
    with one_at_a_time(cache, str(path.resolve()), progress):
        tree = open_tree(path, cache, progress)
        driver = (driver_file or tree / DRIVER).resolve()
        if edits:
            driver = _edited(driver, edits, cache / "edited")
        return _Maker(tree, cache, driver, driver_flags)


def _edited(driver: Path, edits: Sequence[Edit], cache: Path) -> Path:
    """A copy of the driver with the edits in it, in a folder that its content names."""
    try:
        text = applied(driver.read_text(encoding="utf-8", errors="surrogateescape"), edits)
    except EditDoesNotFit as error:
        raise EditDoesNotFit(
            f"{driver}: {error}; that bug cannot be put into this driver"
        ) from None
    data = text.encode(errors="surrogateescape")
    copy = cache / digest_of(data) / driver.name
    if content_digest(copy) != digest_of(data):
        write_whole(copy, data)
    return copy


class Found(NamedTuple):
    """What there is of a driver without building it; ``library`` is None if it is not built."""

    version: str
    driver_file: Path
    real_files: tuple[str, ...]
    library: Library | None
    seconds: float


def find_build(path: Path, *, cache: Path, driver_file: Path | None = None) -> Found:
    """What :func:`build` would build, and whether it has been; an archive is unpacked for that.

    Raises :class:`BuildError` for what the machine or the tree lacks.
    """
    begin = perf_counter()
    maker = _maker(path, cache, silent, driver_file)
    library = maker.find()
    recipe = maker.recipe
    seconds = perf_counter() - begin
    return Found(maker.version, recipe.driver, recipe.real_files(), library, seconds)


class _Maker:
    """One driver of one tree, and the folder where its parts are kept."""

    def __init__(self, tree: Path, cache: Path, driver: Path, flags: tuple[str, ...]) -> None:
        compiler = find_compiler()
        self.version = ".".join(map(str, version_of(tree)))
        if not driver.is_file():
            raise BuildError(f"{driver}: no such driver file; name one with --driver-file")
        headers = write_headers(tree, compiler.kconfig_version, cache / "headers")
        self.recipe = Recipe(tree, driver, headers, flags)
        overlay = sorted(str(path.relative_to(OVERLAY)) for path in OVERLAY.rglob("*.h"))
        self._store = ObjectStore(cache / "objects", compiler, overlay)
        self._linker = Linker(cache, compiler)
        self._units = tuple(self.recipe.units())
        self._core_units = tuple(self.recipe.core_units())
        self.name = " ".join((str(tree), str(driver), *flags))

    def find(self) -> Library | None:
        """The library, if all of it is as it was."""
        objects = []
        for path in self._store.find_all((*self._units, *self._core_units)):
            if path is None:
                return None
            objects.append(path)
        return self._linker.find(self._objects(objects))

    def make(self, progress: Progress) -> Library:
        """The library, of parts that are compiled where they have changed."""
        units = (*self._units, *self._core_units)
        objects = self._objects(self._compiled(units, progress))
        progress("linking", 0, 1)
        self._store.trim()
        return self._linker.find(objects) or self._linker.link(objects)

    def driver_object(self) -> Path:
        """The driver's own part of a library that has been made."""
        return self._store.compile(self._units[0])

    def _compiled(self, units: Sequence[Unit], progress: Progress) -> list[Path]:
        """The objects in order; the first error ends it all, and the driver comes first."""
        objects = dict(zip(units, self._store.find_all(units), strict=True))
        changed = [unit for unit, path in objects.items() if path is None]
        done = len(units) - len(changed)
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(self._store.read, self._store.begin(changed)))
            try:
                for unit, path in zip(changed, pool.map(self._store.make, changed), strict=True):
                    objects[unit] = path
                    done += 1
                    progress("compiling", done, len(units))
            finally:
                pool.shutdown(cancel_futures=True)
        return [path for path in objects.values() if path is not None]

    def _objects(self, paths: Sequence[Path]) -> Objects:
        kernels = len(self._units)
        return Objects(tuple(paths[:kernels]), tuple(paths[kernels:]))
