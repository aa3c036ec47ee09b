# SPDX-License-Identifier: MIT
# construct ships no types, and extending it means subclassing:
# mypy: disallow-subclassing-any=False
"""What our wire formats need beyond construct's own vocabulary. Knows no message.

construct says how bytes become values; a kernel structure also has *views*: the other members of
a union and the bit fields of a word, which name bytes that another field already holds. The
classes here carry those names inside the construct declaration, so that one declaration feeds the
codec, the workbench and the layout tests. All integers are little-endian, as on every Hyper-V
guest.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import construct
from construct.core import stream_write


class Bits(NamedTuple):
    """A bit field: ``width`` bits from bit ``shift`` (LSB first) of the word it is a view of.

    Where the compiler's storage unit is only a part of that word: ``size`` bytes at ``offset``.
    """

    path: str
    shift: int
    width: int
    offset: int = 0
    size: int = 0  # 0: the whole word


class At(NamedTuple):
    """Another member of a union: ``what`` lies ``offset`` bytes into the field it is a view of."""

    path: str
    offset: int
    what: Any


class RecordStruct(construct.Struct):
    """A construct ``Struct`` that knows which record class it stands for."""

    def __init__(self, record: type, *subcons: Any) -> None:
        super().__init__(*subcons)
        self.record = record


class Viewed(construct.Subconstruct):
    """A field whose kernel path is not simply its name, or whose bytes have further names.

    Paths beginning with ``.`` continue the field's own path; others are members of the structure
    around it. ``path=None``: the whole word has no name of its own, only its bit fields have.
    ``dims``: the dimensions under which a flat array's elements are known.
    """

    def __init__(
        self, what: Any, *views: Bits | At, path: str | None = "", dims: tuple[int, ...] = ()
    ) -> None:
        super().__init__(as_construct(what))
        self.views = views
        self.path = path
        self.dims = dims

    def _emitparse(self, code: Any) -> Any:
        return self.subcon._compileparse(code)  # noqa: SLF001  # construct's own way to extend its compiler

    def _emitbuild(self, code: Any) -> Any:
        return self.subcon._compilebuild(code)  # noqa: SLF001  # construct's own way to extend its compiler


class Inlined(Viewed):
    """A wrapper structure with one member, held in the record as that member's plain value."""

    def __init__(self, record: Any, *views: Bits | At, path: str = "") -> None:
        (self.member,) = record.CONSTRUCT.subcons
        super().__init__(self.member.subcon, *views, path=path)


class Octets(construct.Bytes):
    """A fixed array kept as ``bytes``; its elements are named by ``dims`` as ``unit`` integers."""

    def __init__(self, *dims: int, unit: Any = construct.Int8ul) -> None:
        count = 1
        for extent in dims:
            count *= extent
        super().__init__(count * unit.length)
        self.dims = dims
        self.unit = unit


class Guid(construct.Adapter):
    """A GUID in Microsoft's mixed-endian order: first three groups little-endian."""

    def __init__(self) -> None:
        super().__init__(construct.Bytes(16))

    def _decode(self, obj: Any, _context: Any, _path: str) -> UUID:
        return UUID(bytes_le=bytes(obj))

    def _encode(self, obj: Any, _context: Any, _path: str) -> bytes:
        return bytes(obj.bytes_le)


class Counted(construct.Array):
    """An array at the end of a structure whose length another field of it gives."""

    def __init__(self, count_field: str, what: Any) -> None:
        super().__init__(getattr(construct.this, count_field), as_construct(what))
        self.count_field = count_field


class Greedy(construct.GreedyRange):
    """An array at the end of a structure that takes whole elements as long as bytes last.

    ``heads`` name the first elements (a kernel's fixed members that short senders leave out),
    ``named_by`` further paths that, once given, fix the length in the workbench's ``encode``.
    """

    def __init__(
        self, what: Any, *, heads: Sequence[str] = (), named_by: Sequence[str] = (), path: str = ""
    ) -> None:
        super().__init__(as_construct(what))
        self.heads = tuple(heads)
        self.named_by = tuple(named_by)
        self.path = path


class UpTo(construct.Construct):
    """Bytes at the end of a structure: as many as there are, ``limit`` at most.

    ``declared`` is the kernel's array length, ``appended`` the zero bytes Linux sends behind the
    data that ``count_field`` counts (``hv_write_config_block()``).
    """

    def __init__(
        self, limit: int, *, declared: int, count_field: str = "", appended: int = 0
    ) -> None:
        super().__init__()
        self.limit = limit
        self.declared = declared
        self.count_field = count_field
        self.appended = appended

    def _parse(self, stream: Any, context: Any, path: str) -> bytes:
        del context, path
        return bytes(stream.read(self.limit))

    def _build(self, obj: Any, stream: Any, context: Any, path: str) -> Any:
        del context
        if len(obj) > self.limit:
            raise construct.StreamError(f"more than {self.limit} bytes", path=path)
        stream_write(stream, obj, len(obj), path)
        return obj


def as_construct(what: Any) -> Any:
    """``what`` itself if construct made it, else the declaration of the record class ``what``."""
    return what if isinstance(what, construct.Construct) else what.CONSTRUCT


def core(what: Any) -> Any:
    """The construct below our views and construct's names."""
    while isinstance(what, (construct.Renamed, Viewed)):
        what = what.subcon
    return what


__all__ = [
    "At",
    "Bits",
    "Counted",
    "Greedy",
    "Guid",
    "Inlined",
    "Octets",
    "RecordStruct",
    "UpTo",
    "Viewed",
    "as_construct",
    "core",
]
