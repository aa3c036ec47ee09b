# SPDX-License-Identifier: MIT
"""The real driver, from paths to something that makes guests: built, loaded once in a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from guest.native.build import Build, build
from guest.native.errors import BuildError
from guest.native.library import Library
from guest.native.tree import cache_folder
from sim.guests import NativeGuests


@lru_cache(maxsize=1)
def built(tree: str | None, driver_file: str | None) -> Build:
    """The build of a driver. Raises BuildError, which has the remedy."""
    if tree is None:
        raise BuildError("the real driver needs --tree: a Linux tree, or a linux-source-*.tar.xz")
    return build(
        Path(tree),
        cache=cache_folder(),
        driver_file=None if driver_file is None else Path(driver_file),
    )


@lru_cache(maxsize=1)
def _loaded(shared_object: Path) -> Library:
    return Library(shared_object)


def native_guests(tree: str | None, driver_file: str | None) -> NativeGuests:
    """What makes guests of this driver. Raises BuildError."""
    return NativeGuests(_loaded(built(tree, driver_file).shared_object))
