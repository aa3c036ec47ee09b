# SPDX-License-Identifier: MIT
"""What happened, stamped and in order, and as JSON lines. Knows no event's meaning.

A trace file begins with a line about the run and then holds one event a line: ``seq``, ``at_ns``,
``context``, ``event`` (the name as in ``sim/event_names.py``) and its ``fields``; bytes are
hexadecimal. The bytes of a file depend on nothing but the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, Final, get_type_hints

import msgspec

from sim.event_names import EVENT_OF_TAG, TAG_OF_EVENT
from sim.files import whole_file

FORMAT: Final = "vpcisim trace 1"
LINE_BYTES_MAX: Final = 1 << 20  # an event holds at most one ring packet, in hexadecimal


class TraceError(Exception):
    """A trace file that cannot be read; one line: file, line, remedy."""


class Stamped(msgspec.Struct, frozen=True, gc=False):
    """One event with its place: position in the run, simulated time, who was running.

    ``context`` is ``host``, ``actor:NAME`` or ``KIND/CPU:NAME`` (``work/0:hv_pci_1``) with KIND one
    of ``thread``, ``work``, ``softirq``, ``hardirq``.
    """

    seq: int
    at_ns: int
    context: str
    event: msgspec.Struct


class Trace(msgspec.Struct, frozen=True):
    """A run's events, and what its file says of the run (``scenario``, ``protocol``, ``seed``…)."""

    about: Mapping[str, Any]
    events: tuple[Stamped, ...]


# --- writing ---


def as_dict(stamped: Stamped) -> dict[str, Any]:
    """One event as JSON has it."""
    return {
        "seq": stamped.seq,
        "at_ns": stamped.at_ns,
        "context": stamped.context,
        "event": TAG_OF_EVENT[type(stamped.event)],
        "fields": fields_of(stamped.event),
    }


def fields_of(event: msgspec.Struct) -> dict[str, Any]:
    """An event's fields in their order, bytes as hexadecimal text."""
    found = {name: getattr(event, name) for name in event.__struct_fields__}
    return {n: value.hex() if isinstance(value, bytes) else value for n, value in found.items()}


def write_trace(path: Path, about: Mapping[str, Any], events: Iterable[Stamped]) -> None:
    """Write a trace; the file appears when it is whole. Raises OSError."""
    with whole_file(path) as file:
        write_lines(file, about, events)


def write_lines(file: BinaryIO, about: Mapping[str, Any], events: Iterable[Stamped]) -> None:
    """Write the lines of a trace to an open file."""
    encode = msgspec.json.Encoder(enc_hook=str).encode
    file.write(encode({"format": FORMAT, **about}) + b"\n")
    file.writelines(encode(as_dict(stamped)) + b"\n" for stamped in events)


# --- reading ---


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    seq: int
    at_ns: int
    context: str
    event: str
    fields: dict[str, Any]


def read_trace(path: Path) -> Trace:
    """Read a trace file. Raises TraceError with the line that is wrong."""
    try:
        with path.open("rb") as file:
            lines = iter(_lines(file, path))
            about = _about(next(lines, b""), path)
            events = tuple(
                _stamped(line, f"{path}: line {number}") for number, line in enumerate(lines, 2)
            )
    except OSError as error:
        raise TraceError(f"{path}: cannot be read: {error.strerror}") from None
    return Trace(about=about, events=events)


def _lines(file: BinaryIO, path: Path) -> Iterator[bytes]:
    while line := file.readline(LINE_BYTES_MAX):
        if len(line) == LINE_BYTES_MAX:
            raise TraceError(f"{path}: a line of more than {LINE_BYTES_MAX} bytes is no event")
        yield line


def _about(line: bytes, path: Path) -> Mapping[str, Any]:
    try:
        about = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError, RecursionError):
        about = {}
    if about.pop("format", None) != FORMAT:
        raise TraceError(f"{path}: line 1: is no {FORMAT!r}; write one with vpcisim run --trace")
    return about


def _stamped(line: bytes, place: str) -> Stamped:
    try:
        read = msgspec.json.decode(line, type=_Line)
        event = EVENT_OF_TAG.get(read.event)
        if event is None:
            raise TraceError(f"{place}: unknown event {read.event!r}")
        return Stamped(read.seq, read.at_ns, read.context, _event(event, read.fields))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise TraceError(f"{place}: is no event: {error}") from None


def _event(event: type[msgspec.Struct], fields: dict[str, Any]) -> msgspec.Struct:
    for name in _bytes_fields(event):
        if isinstance(fields.get(name), str):
            fields[name] = bytes.fromhex(fields[name])
    return msgspec.convert(fields, event, builtin_types=(bytes,))


@cache
def _bytes_fields(event: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name, kind in get_type_hints(event).items() if kind is bytes)
