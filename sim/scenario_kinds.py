# SPDX-License-Identifier: MIT
"""What a value in a scenario file may be: one kind per shape, each able to say itself in words.

Knows TOML's types and no key. A kind reads a raw value into what the lab uses, or raises
``ValueError`` with what was expected; whoever asked adds where it stood.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

TEXT_MAX = 2_000  # a story is a paragraph, not a book
ITEMS_MAX = 4_096  # as many as Hyper-V's VP set can name processors
TIME_MAX_NS = 24 * 3600 * 10**9  # a day: far beyond every time-out of driver and host
PAGE_BYTES = 4_096
ADDRESS_MIN = 0x8000_0000  # the guest's memory lies below 2 GiB
ADDRESS_MAX = 2**52 - 1  # the widest physical address of x86
RANGE_SAYS = f"a pair [first, last] of addresses, whole pages from {ADDRESS_MIN:#x} on"
NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_.][a-z0-9]+)*")
NAME_MAX = 64


class Kind(NamedTuple):
    """``says`` completes the sentence "must be …"; ``read`` raises ValueError without a place."""

    says: str
    read: Callable[[object], object]


def _refuse(kind: str, value: object) -> ValueError:
    shown = repr(value)
    return ValueError(f"must be {kind}, not {shown if len(shown) <= 40 else shown[:37] + '...'}")


def number(low: int, high: int, unit: str = "") -> Kind:
    """A whole number within bounds, both included."""
    says = f"a whole number from {low:,} to {high:,}".replace(",", "_") + (unit and f" {unit}")

    def read(value: object) -> object:
        if type(value) is not int or not low <= value <= high:
            raise _refuse(says, value)
        return value

    return Kind(says, read)


def one_of(names: Iterable[str]) -> Kind:
    """One word of a list; a wrong one is answered with the list."""
    valid = tuple(names)
    says = "one of " + ", ".join(valid)

    def read(value: object) -> object:
        if not isinstance(value, str) or value not in valid:
            raise _refuse(says, value)
        return value

    return Kind(says, read)


def many(kind: Kind, *, least: int = 0) -> Kind:
    """A list, read as a tuple."""
    says = f"a list, each {kind.says}" + (f", at least {least}" if least else "")

    def read(value: object) -> object:
        if not isinstance(value, list) or not least <= len(value) <= ITEMS_MAX:
            raise _refuse(says, value)
        return tuple(kind.read(item) for item in value)

    return Kind(says, read)


def _text(value: object) -> object:
    if not isinstance(value, str) or not value.strip() or len(value) > TEXT_MAX:
        raise _refuse(f"text of 1 to {TEXT_MAX} characters", value)
    return value


def _name(value: object) -> object:
    if not isinstance(value, str) or len(value) > NAME_MAX or not NAME.fullmatch(value):
        raise _refuse("a name in lower case such as nvme0 or nic-a", value)
    return value


def _flag(value: object) -> object:
    if not isinstance(value, bool):
        raise _refuse("true or false", value)
    return value


def _window(value: object) -> object:
    """A pair [earliest, latest], or one number for both."""
    pair = [value, value] if type(value) is int else value
    if (
        not isinstance(pair, list)
        or len(pair) != 2
        or not all(type(side) is int and 0 <= side <= TIME_MAX_NS for side in pair)
        or pair[0] > pair[1]
    ):
        raise _refuse("nanoseconds, or a pair [earliest, latest] of them", value)
    return (pair[0], pair[1])


def _range(value: object) -> object:
    """A pair [first, last], both included, that holds whole pages."""
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(type(side) is int for side in value)
        or not ADDRESS_MIN <= value[0] < value[1] <= ADDRESS_MAX
        or value[0] % PAGE_BYTES
        or (value[1] + 1) % PAGE_BYTES
    ):
        raise _refuse(RANGE_SAYS, _hexadecimal(value))
    return (value[0], value[1])


def _hexadecimal(value: object) -> object:
    """Addresses as people write them, for an error."""
    if isinstance(value, list) and all(type(side) is int for side in value):
        return [hex(side) for side in value]
    return value


def _hex(value: object) -> object:
    text = value if isinstance(value, str) else "?"
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise _refuse("bytes written in hexadecimal such as 00ff", value) from None


TEXT = Kind("text", _text)
WORD = Kind("a name", _name)
FLAG = Kind("true or false", _flag)
WINDOW_NS = Kind("nanoseconds, or a pair [earliest, latest]", _window)
DURATION_NS = number(0, TIME_MAX_NS, "nanoseconds")
HEX = Kind("bytes in hexadecimal", _hex)
RANGE = Kind(RANGE_SAYS, _range)
