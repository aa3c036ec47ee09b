# SPDX-License-Identifier: MIT
"""Relations lists, changed and put together again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import asdict

from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
    message_type,
)
from sim.conformance.answers import LISTS, Description, functions_in

M = MessageType
SHARED: Final = PciFunctionDescription.__struct_fields__


def is_list(payload: bytes) -> bool:
    """Whether it is a list of functions."""
    return message_type(payload) in LISTS


def reformed(payload: bytes, form: M) -> bytes:
    """The same list in the form of that message."""
    functions = functions_in(payload)
    values = [{name: asdict(function)[name] for name in SHARED} for function in functions]
    if form == M.PCI_BUS_RELATIONS:
        entries = tuple(PciFunctionDescription(**one) for one in values)
        return PciBusRelations(form, len(entries), entries).build()
    later = tuple(PciFunctionDescription2(**one) for one in values)
    return PciBusRelations2(form, len(later), later).build()


def relisted(payload: bytes, change: Callable[[int, Description], Description | None]) -> bytes:
    """The same list with its functions changed, by position; None leaves one out."""
    record = LISTS[message_type(payload)]
    changed = (change(at, function) for at, function in enumerate(functions_in(payload)))
    entries = tuple(function for function in changed if function is not None)
    return record(message_type(payload), len(entries), entries).build()  # type: ignore[arg-type]  # its own entries
