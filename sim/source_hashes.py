# SPDX-License-Identifier: MIT
"""What a schedule ran against, as hashes: the lab's own sources and the user's laws.

Knows files and no schedule. A hash tells that something has changed, not whether it matters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

PACKAGES: Final = ("protocol", "guest", "host", "sim")
HASHED: Final = ("*.py", "*.toml", "*.c", "*.h", "*.S", "*.ld")
_ROOT: Final = Path(__file__).resolve().parents[1]


def source_hashes(laws: Iterable[str] = (), *, root: Path = _ROOT) -> dict[str, str]:
    """SHA-256 of each package's sources by its name, and of each law file by its path.

    Raises OSError for a law file that cannot be read.
    """
    hashes = {package: _tree_hash(root / package) for package in PACKAGES}
    return hashes | {law: file_hash(Path(law)) for law in laws}


def file_hash(file: Path) -> str:
    """SHA-256 of what a file holds. Raises OSError."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """The names of what differs or is only on one side, sorted."""
    return tuple(name for name in sorted({*before, *now}) if before.get(name) != now.get(name))


def _tree_hash(folder: Path) -> str:
    """Of the names and the contents of the source files below a folder."""
    total = hashlib.sha256()
    files = sorted(file for pattern in HASHED for file in folder.rglob(pattern))
    for file in files:
        total.update(f"{file.relative_to(folder).as_posix()} {file_hash(file)}\n".encode())
    return total.hexdigest()
