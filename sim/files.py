# SPDX-License-Identifier: MIT
"""Files that are either whole or not there. Knows nothing of what is in them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Write to a temporary name beside ``path`` and rename at the end.

    Whatever interrupts the writing, an exception or Ctrl-C, leaves no half file and what stood at
    ``path`` before untouched. What is no regular file (a pipe, ``/dev/stdout``) is written as it
    comes. Raises OSError as opening and renaming do.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        with place.open("wb") as stream:
            yield stream
        return
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, _usual_mode())
        os.replace(name, place)
    except BaseException:
        os.unlink(name)
        raise


def _usual_mode() -> int:
    """The permissions that opening a new file would give; a temporary one has fewer."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
