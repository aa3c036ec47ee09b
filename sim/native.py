# SPDX-License-Identifier: MIT
"""The real driver, from paths to something that makes guests: built, loaded once in a process."""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path
from typing import Final

from guest.defects.catalogue import CATALOGUE
from guest.native.build import Build, build
from guest.native.data_races import look_for_races
from guest.native.errors import BuildError
from guest.native.keeping import cache_folder
from guest.native.library import Library
from sim.guests import NativeGuests

BUILDS_KEPT: Final = 16  # of one process: a campaign has one, a test of bugs has some


@lru_cache(maxsize=BUILDS_KEPT)
def built(
    tree: str | None,
    driver_file: str | None,
    defects: tuple[str, ...] = (),
    flags: tuple[str, ...] = (),
) -> Build:
    """The build of a driver with these bugs, compiled with these flags more than usual.

    Raises BuildError, which has the remedy.
    """
    if tree is None:
        raise BuildError("the real driver needs --tree: a Linux tree, or a linux-source-*.tar.xz")
    return build(
        Path(tree),
        cache=cache_folder(),
        driver_file=None if driver_file is None else Path(driver_file),
        edits=[edit for name in defects for edit in CATALOGUE[name].edits],
        driver_flags=flags,
    )


@lru_cache(maxsize=1)
def loaded(shared_object: Path) -> Library:
    """The library that has the memory's addresses: the one that was asked for last."""
    return Library(shared_object)


def native_guests(
    tree: str | None,
    driver_file: str | None,
    defects: tuple[str, ...] = (),
    *,
    data_races: bool = False,
    flags: tuple[str, ...] = (),
) -> NativeGuests:
    """What makes guests of this driver with these bugs, built so. Raises BuildError."""
    shared_object = built(tree, driver_file, defects, flags).shared_object
    return NativeGuests(partial(_looking, shared_object, data_races=data_races))


def _looking(shared_object: Path, *, data_races: bool) -> Library:
    """The library, told whether this time data races are looked for."""
    library = loaded(shared_object)
    look_for_races(library, wanted=data_races)
    return library
