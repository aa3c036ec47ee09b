# SPDX-License-Identifier: MIT
"""What an edit of a driver's source says: where, by identifiers, and what is done there. Data only.

An edit has no text of the kernel in it beyond identifiers.
"""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias

from guest.native.errors import BuildError

EVERY: Final = 0
LAST: Final = -1


class Drop(NamedTuple):
    """In ``function``, take away the ``nth`` statement (from 1) that mentions ``names``."""

    function: str
    names: tuple[str, ...]
    nth: int = 1


class Force(NamedTuple):
    """In ``function``, let the ``nth`` condition that mentions ``names`` be ``value``: 0 or 1."""

    function: str
    names: tuple[str, ...]
    value: int = 0
    nth: int = 1


class Swap(NamedTuple):
    """In ``function``, in the ``nth`` statement or condition with ``names``, write ``new`` for
    ``old``."""

    function: str
    names: tuple[str, ...]
    old: str
    new: str
    nth: int = 1


class Move(NamedTuple):
    """In ``function``, put the statement that mentions ``names`` behind the one with ``behind``."""

    function: str
    names: tuple[str, ...]
    behind: tuple[str, ...]
    nth: int = 1


Edit: TypeAlias = Drop | Force | Swap | Move


class EditDoesNotFit(BuildError):
    """The driver has no such place; says which function was searched, and for what."""
