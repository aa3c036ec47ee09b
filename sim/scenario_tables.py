# SPDX-License-Identifier: MIT
"""Reads TOML tables by rows of keys; tells each mistake with file, key and remedy.

Knows nothing of what the keys are for.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sim.scenario import ScenarioError
from sim.scenario_grammar import REQUIRED, Key

NAMES_SHOWN_MAX: Final = 40  # a hint stays one line that a terminal can show


class TableReader:
    """Bound to one file's name, so that every error can name it."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fail(self, path: str, remedy: str) -> ScenarioError:
        """The error for what stands at ``path``; for the caller to raise."""
        return ScenarioError(self.source, path, remedy)

    def table(
        self, raw: object, path: str, keys: Sequence[Key], also: Iterable[str] = ()
    ) -> dict[str, Any]:
        """Read one table by its rows; ``also`` are names that somebody else reads."""
        if not isinstance(raw, Mapping):
            raise self.fail(path, "must be a table")
        known = [*(key.name for key in keys), *also]
        for name in raw:
            if name not in known:
                raise self.fail(join(path, name), f"unknown key; {hint(name, known)}")
        return {key.name: self._value(raw, path, key) for key in keys}

    def array(self, raw: Mapping[str, object], name: str, path: str) -> list[tuple[str, object]]:
        """The tables of a list of tables that must not be empty, each with its path."""
        tables = raw.get(name, [])
        place = join(path, name)
        if not isinstance(tables, list) or not tables:
            raise self.fail(place, "must be a list of at least one table")
        return [(f"{place}[{index}]", table) for index, table in enumerate(tables)]

    def _value(self, raw: Mapping[str, object], path: str, key: Key) -> object:
        place = join(path, key.name)
        if key.name not in raw:
            if key.default is REQUIRED:
                raise self.fail(place, f"is missing; it must be {key.kind.says}")
            return key.default
        try:
            return key.kind.read(raw[key.name])
        except ValueError as error:
            raise self.fail(place, str(error)) from None


def hint(name: str, known: Iterable[str]) -> str:
    """The valid names, the nearest one first if it looks like a slip of the pen."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    shown = names[:NAMES_SHOWN_MAX]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return (f"did you mean {near[0]!r}? " if near else "") + "known: " + ", ".join(shown) + more


def join(path: str, name: str) -> str:
    """The path of a key in a table."""
    return f"{path}.{name}" if path else name
