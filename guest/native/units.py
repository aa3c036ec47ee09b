# SPDX-License-Identifier: MIT
"""What gcc is asked to compile, as data: a file, its flags, and what stands before its first line.

Knows neither which files there are nor where objects are kept.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

OBJECT: Final = ".o"
PRECOMPILED: Final = ".h.gch"  # gcc looks for this end itself, behind ``-include FILE.h``

# What a file says before its headers to change what they define; what it wants to have printed in
# front of its messages, no header looks at.
_INCLUDE: Final = re.compile(r"^\s*#\s*include\b", re.MULTILINE)
_SAYS: Final = re.compile(r"^\s*#\s*(?:define|undef)\s+(?!(?:pr|dev)_fmt\b)", re.MULTILINE)


class Unit(NamedTuple):
    """One file to compile; ``name`` is what messages call it.

    ``first`` are headers that are included before it, and ``names`` is a text after those.
    ``common`` is a header that may be read in their place, and many more that the file includes
    itself; it is a unit that makes PRECOMPILED.
    """

    name: str
    source: Path
    flags: tuple[str, ...]
    first: tuple[Path, ...] = ()
    names: str = ""
    common: Unit | None = None
    makes: str = OBJECT

    def whole(self) -> tuple[str, ...]:
        """The flags with which it is compiled as it stands."""
        return (*_included(*self.first), *self.flags)

    def after(self, headers: Path) -> tuple[str, ...]:
        """The flags with which it goes on behind what was precompiled of ``common``."""
        return (*_included(headers), *self.flags)


def _included(*headers: Path) -> tuple[str, ...]:
    return tuple(flag for header in headers for flag in ("-include", str(header)))


def sees_what_headers_see(file: Path) -> bool:
    """Whether headers mean the same to this file as to any other."""
    text = file.read_text(encoding="utf-8", errors="replace")
    *_, last = (0, *(found.start() for found in _INCLUDE.finditer(text)))
    return _SAYS.search(text, 0, last) is None
