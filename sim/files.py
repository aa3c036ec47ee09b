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
    ``path`` before untouched. Raises OSError as opening and renaming do.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
