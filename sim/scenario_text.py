# SPDX-License-Identifier: MIT
"""A scenario's raw tables written as TOML again, for a scenario that a program has changed.

Knows the shapes that ``sim/scenario_grammar.py`` allows (tables of text, whole numbers, flags,
lists) and none of its keys. Comments and layout of the file it came from are lost.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any


def scenario_text(raw: Mapping[str, Any]) -> str:
    """TOML that ``tomllib`` reads as ``raw``."""
    return "\n".join(_lines(raw)) + "\n"


def _lines(raw: Mapping[str, Any]) -> Iterator[str]:
    """Plain keys, then tables, then lists of tables, as TOML demands."""
    yield from (_pair(name, value) for name, value in raw.items() if not _has_header(value))
    for name, value in raw.items():
        if isinstance(value, Mapping):
            yield from _table(f"[{_key(name)}]", value)
        elif _has_header(value):
            for table in value:
                yield from _table(f"[[{_key(name)}]]", table)


def _table(header: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield header
    for name, value in table.items():
        if _is_of_tables(value):
            yield f"{_key(name)} = ["
            yield from (f"  {_value(item)}," for item in value)
            yield "]"
        else:
            yield _pair(name, value)


def _has_header(value: object) -> bool:
    """Whether a top-level value has a header: a table, or a list of tables."""
    return isinstance(value, Mapping) or _is_of_tables(value)


def _is_of_tables(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], Mapping)


def _pair(name: str, value: object) -> str:
    return f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isascii() and bare.isalnum() else _value(name)


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(_pair(name, inner) for name, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    # A JSON string is a TOML string, but for one control character that JSON leaves as it is.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
