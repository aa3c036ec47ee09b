# SPDX-License-Identifier: MIT
"""Writes a fast parser and builder from a construct declaration. Knows no message.

For each structure a format for ``struct.Struct`` and two small functions around it are generated,
as ``dataclasses`` generates ``__init__``. Errors are explained by the declaration itself: which
leaf the bytes end in, which field construct cannot build. Record classes appear here as ``Any``:
they are ``WireRecord``'s subclasses, whose module imports this one.
"""

import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import starmap
from typing import Any, Final
from uuid import UUID

import construct
import msgspec

from protocol.errors import LocalProtocolError, WireFormatError
from protocol.leaves import Leaf, Shape
from protocol.shapes import Counted, Greedy, Guid, Octets, RecordStruct, UpTo, core

Buffer = bytes | bytearray | memoryview
GUIDS_KEPT: Final = 4096  # making a UUID is slow; a VM has up to 2,047 channels at once


class Codec(msgspec.Struct, frozen=True):
    """The functions generated for one structure; ``parse_many`` takes a packed array of it."""

    parse: Callable[[Buffer], Any]
    parse_many: Callable[[Buffer], tuple[Any, ...]]
    build: Callable[[Any], bytes]


class _Generator:
    """Writes the two functions of one structure: format string, expressions and their names."""

    def __init__(self) -> None:
        self.format = "<"
        self.values = 0  # how many values the format yields
        self.size = 0
        self.arguments: list[str] = []  # of pack, in order
        self.setup: list[str] = []  # statements before pack
        self.tails: list[str] = []  # expressions of bytes behind the fixed part
        self.names: dict[str, Any] = {"join": b"".join, "starmap": starmap}
        self.fields: dict[str, str] = {}  # field of the innermost record -> parse expression

    def bind(self, value: Any) -> str:
        """A name in the generated code for ``value``."""
        name = f"g{len(self.names)}"
        self.names[name] = value
        return name

    def take(self, code: str, size: int, values: int = 1) -> str:
        """Reserve ``size`` bytes described by ``code``; the parse expression of its values."""
        first = self.values
        self.format += code
        self.values += values
        self.size += size
        return f"t[{first}]" if values == 1 else f"t[{first}:{first + values}]"

    def walk(self, what: Any, source: str) -> str:
        """Generate for one declaration; ``source`` is where ``build`` finds its value."""
        plain = core(what)
        return _GENERATORS[type(plain)](self, plain, source)

    def record(self, what: RecordStruct, source: str) -> str:
        local = source
        if source != "r":
            local = f"r{len(self.setup)}"
            self.setup.append(f"{local} = {source}")
        outer, self.fields = self.fields, {}
        for field in what.subcons:
            self.fields[field.name] = self.walk(field.subcon, f"{local}.{field.name}")
        expression = f"{self.bind(what.record)}({', '.join(self.fields.values())})"
        self.fields = outer
        return expression

    def integer(self, what: Any, source: str) -> str:
        assert what.fmtstr[0] == "<", "the wire is little-endian"
        self.arguments.append(source)
        return self.take(what.fmtstr[1:], what.length)

    def octets(self, what: Octets, source: str) -> str:
        self.length(source, what.length)
        self.arguments.append(source)
        return self.take(f"{what.length}s", what.length)

    def guid(self, _what: Guid, source: str) -> str:
        self.arguments.append(f"{source}.bytes_le")
        return f"{self.bind(_guid)}({self.take('16s', 16)})"

    def array(self, what: Any, source: str) -> str:
        self.length(source, what.count)
        element = core(what.subcon)
        if not isinstance(element, RecordStruct):
            self.arguments.append(f"*{source}")
            size = what.count * element.length
            code = f"{what.count}{element.fmtstr[1:]}"
            taken = self.take(code, size, what.count)
            return taken if what.count > 1 else f"({taken},)"
        record: Any = element.record
        codec = record.CODEC
        self.arguments.append(f"join(map({self.bind(codec.build)}, {source}))")
        size = what.count * record.SIZE
        return f"{self.bind(codec.parse_many)}({self.take(f'{size}s', size)})"

    def counted(self, what: Counted, source: str) -> str:
        record = core(what.subcon).record
        count = self.fields[what.count_field]
        owner = source.rpartition(".")[0]
        self.setup.append(f"if len({source}) != {owner}.{what.count_field}: raise ValueError")
        self.tails.append(f"join(map({self.bind(record.CODEC.build)}, {source}))")
        size, many = record.SIZE, self.bind(record.CODEC.parse_many)
        return f"{many}(whole(data, {self.size}, {count} * {size}))"

    def greedy(self, what: Greedy, source: str) -> str:
        element = core(what.subcon)
        if not isinstance(element, RecordStruct):
            pack = self.bind(struct.pack)
            self.tails.append(f"{pack}(f'<{{len({source})}}{element.fmtstr[1:]}', *{source})")
            return f"{self.bind(_integers(element))}(data, {self.size})"
        record: Any = element.record
        self.tails.append(f"join(map({self.bind(record.CODEC.build)}, {source}))")
        reader = _records if record.SHAPE.tail is None else _open_record
        return f"{self.bind(reader(record))}(data, {self.size})"

    def up_to(self, what: UpTo, source: str) -> str:
        self.setup.append(f"if len({source}) > {what.limit}: raise ValueError")
        self.tails.append(source)
        return f"bytes(data[{self.size}:{self.size + what.limit}])"

    def length(self, source: str, count: int) -> None:
        self.setup.append(f"if len({source}) != {count}: raise ValueError")


_GENERATORS: Mapping[type, Callable[[_Generator, Any, str], str]] = {
    construct.FormatField: _Generator.integer,
    Octets: _Generator.octets,
    Guid: _Generator.guid,
    RecordStruct: _Generator.record,
    construct.Array: _Generator.array,
    Counted: _Generator.counted,
    Greedy: _Generator.greedy,
    UpTo: _Generator.up_to,
}


@lru_cache(maxsize=GUIDS_KEPT)
def _guid(data: bytes) -> UUID:
    return UUID(bytes_le=data)


def _integers(element: Any) -> Callable[[Buffer, int], tuple[int, ...]]:
    size, code = element.length, element.fmtstr[1:]

    def read(data: Buffer, offset: int) -> tuple[int, ...]:
        return struct.unpack_from(f"<{(len(data) - offset) // size}{code}", data, offset)

    return read


def _records(record: Any) -> Callable[[Buffer, int], tuple[Any, ...]]:
    size, many = record.SIZE, record.CODEC.parse_many

    def read(data: Buffer, offset: int) -> tuple[Any, ...]:
        whole = (len(data) - offset) // size * size
        found: tuple[Any, ...] = many(data[offset : offset + whole])
        return found

    return read


def _open_record(record: Any) -> Callable[[Buffer, int], tuple[Any, ...]]:
    size, parse = record.SIZE, record.CODEC.parse

    def read(data: Buffer, offset: int) -> tuple[Any, ...]:
        # The first element's own open end takes all that is left.
        return (parse(data[offset:]),) if len(data) - offset >= size else ()

    return read


_TEMPLATE = """
def parse(data):
    try:
        t = unpack_from(data)
        return {expression}
    except error:
        raise short(data) from None

def parse_many(data):
    return tuple({many})

def build(r):
    try:
{setup}        return {built}
    except (error, ValueError):
        raise misfit(r) from None
"""


def derive(cls: Any) -> Codec:
    """Generate ``parse``, ``parse_many`` and ``build`` from the declaration of ``cls``."""
    generator = _Generator()
    expression = generator.walk(cls.CONSTRUCT, "r")
    packed = struct.Struct(generator.format)
    record = generator.bind(cls)
    if expression.endswith(f"({', '.join(f't[{i}]' for i in range(generator.values))})"):
        expression = f"{record}(*t)"  # every field is one value: let the C call spread them
        many = f"starmap({record}, iter_unpack(data))"
    else:
        many = f"[{expression} for t in iter_unpack(data)]"
    source = _TEMPLATE.format(
        expression=expression,
        many=many if not generator.tails else "()",
        setup="".join(f"        {line}\n" for line in generator.setup),
        built=" + ".join([f"pack({', '.join(generator.arguments)})", *generator.tails]),
    )
    names = generator.names | {
        "unpack_from": packed.unpack_from,
        "iter_unpack": packed.iter_unpack,
        "pack": packed.pack,
        "error": struct.error,
        "whole": _whole,
        "short": lambda data: _short(cls, data),
        "misfit": lambda record: _misfit(cls, record),
    }
    exec(compile(source, f"<codec of {cls.KERNEL_NAME}>", "exec"), names)
    return Codec(names["parse"], names["parse_many"], names["build"])


def _whole(data: Buffer, offset: int, size: int) -> Buffer:
    """``size`` bytes at ``offset``, or ``struct.error`` as ``unpack_from`` would raise it."""
    if len(data) < offset + size:
        raise struct.error
    return data[offset : offset + size]


def _short(cls: Any, data: Buffer) -> WireFormatError:
    """Which field the bytes end in."""
    leaf = _first_missing(cls.SHAPE, len(data))
    missing = leaf.offset + leaf.size - len(data)
    return WireFormatError(cls.KERNEL_NAME, leaf.path, leaf.offset, f"{missing} bytes too short")


def _first_missing(shape: Shape, available: int) -> Leaf:
    for leaf in shape.leaves():
        if not leaf.is_view and leaf.offset + leaf.size > available:
            return leaf
    tail = shape.tail
    assert tail is not None, "only a tail can lie behind the fixed part"
    index = (available - tail.offset) // tail.stride
    for leaf in tail.element_leaves(index):
        if not leaf.is_view and leaf.offset + leaf.size > available:
            return leaf
    raise AssertionError("the bytes were long enough")


def _misfit(cls: Any, record: Any) -> LocalProtocolError:
    """Which field cannot be built: construct says it, from the same declaration."""
    try:
        cls.CONSTRUCT.build(as_container(record))
    except construct.ConstructError as error:
        # construct's message ends in "... (building) -> int_desc -> vector"
        path = ".".join((error.path or "").split(" -> ")[1:])
        return LocalProtocolError(f"{cls.KERNEL_NAME}.{path}: value does not fit")
    raise AssertionError("construct builds what the derived codec refuses")


def as_container(value: Any) -> Any:
    """What construct builds from: dicts for records, lists for tuples of them."""
    if isinstance(value, msgspec.Struct):
        return {name: as_container(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [as_container(item) for item in value]
    return value


def from_container(struct_: Any, value: Any) -> Any:
    """The record of what construct parsed with ``struct_``; the inverse of ``as_container``."""
    plain = core(struct_)
    if isinstance(plain, RecordStruct):
        values = [from_container(field.subcon, value[field.name]) for field in plain.subcons]
        return plain.record(*values)
    if isinstance(plain, (construct.Array, construct.GreedyRange)):
        return tuple(from_container(plain.subcon, item) for item in value)
    return value
