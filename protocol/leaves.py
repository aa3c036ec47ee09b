# SPDX-License-Identifier: MIT
"""Which named values a declaration holds and where. Knows no message and no bytes.

From a record's construct declaration it derives every *leaf*: path, byte offset, size and sign, in
the spelling of the kernel (``func[0].v_id``, ``wslot.bits.dev``), with the views of words and
unions. The workbench and the error messages are built on it, the fast codec is not.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

import construct

from protocol.shapes import (
    At,
    Bits,
    Counted,
    Greedy,
    Guid,
    Inlined,
    Octets,
    RecordStruct,
    UpTo,
    Viewed,
    as_construct,
    core,
)


class Leaf(NamedTuple):
    """One named value: ``size`` bytes per element at ``offset``, of which ``width`` bits count."""

    path: str
    offset: int
    size: int
    signed: bool = False
    shift: int = 0
    width: int = 0  # 0: the whole word
    dims: tuple[int, ...] = ()
    is_guid: bool = False
    is_view: bool = False  # another name for bytes that a leaf before it holds

    def elements(self) -> "Iterator[Leaf]":
        """The leaf itself, or one leaf for each element of its array, in order."""
        if not self.dims:
            yield self
            return
        for number, index in enumerate(product(*map(range, self.dims))):
            path = self.path + "".join(f"[{i}]" for i in index)
            yield self._replace(path=path, offset=self.offset + number * self.size, dims=())


class Tail(NamedTuple):
    """The part of a structure whose length the declaration leaves open."""

    path: str
    offset: int
    stride: int
    element: "Shape | None"  # None: an integer of ``stride`` bytes
    declared: int = 0  # elements in the kernel's declaration
    limit: int | None = None
    heads: tuple[str, ...] = ()
    named_by: tuple[str, ...] = ()
    count_path: str = ""
    appended: int = 0

    def element_path(self, index: int) -> str:
        """The path of element ``index``."""
        ahead = len(self.heads)
        return self.heads[index] if index < ahead else f"{self.path}[{index - ahead}]"

    def element_leaves(self, index: int) -> Iterator[Leaf]:
        """The leaves of element ``index`` (without a nested tail's)."""
        path, offset = self.element_path(index), self.offset + index * self.stride
        if self.element is None:
            yield Leaf(path, offset, self.stride)
        else:
            yield from self.element.moved(path + ".", offset).leaves()

    def nested(self) -> "Tail | None":
        """The open end of the first element, if its structure has one."""
        if self.element is None:
            return None
        return self.element.moved(self.element_path(0) + ".", self.offset).tail


class Shape(NamedTuple):
    """A structure's fixed leaves in order, its fixed size in bytes and its open end, if any."""

    arrays: tuple[Leaf, ...]  # arrays of integers unexpanded
    size: int
    tail: Tail | None

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf of the fixed part, arrays element by element."""
        for leaf in self.arrays:
            yield from leaf.elements()

    def moved(self, prefix: str, offset: int) -> "Shape":
        """The same shape as a part of another: below ``prefix``, ``offset`` bytes further on."""
        arrays = tuple(
            leaf._replace(path=prefix + leaf.path, offset=offset + leaf.offset)
            for leaf in self.arrays
        )
        tail = self.tail
        if tail is not None:
            tail = tail._replace(
                path=prefix + tail.path,
                offset=offset + tail.offset,
                heads=tuple(prefix + path for path in tail.heads),
                named_by=tuple(prefix + path for path in tail.named_by),
                count_path=prefix + tail.count_path if tail.count_path else "",
            )
        return Shape(arrays, self.size, tail)


def shape_of(struct: RecordStruct, prefix: str = "", offset: int = 0) -> Shape:
    """The shape of a record's declaration, its paths below ``prefix``."""
    arrays: list[Leaf] = []
    tail: Tail | None = None
    position = offset
    for field in struct.subcons:
        part = _field(field.subcon, prefix, field.name, position)
        arrays += part.arrays
        tail = part.tail
        position += part.size
    return Shape(tuple(arrays), position - offset, tail)


def _field(what: Any, parent: str, name: str, offset: int) -> Shape:
    if not isinstance(what, Viewed):
        return _plain(what, parent + name, offset)
    path = None if what.path is None else join(parent, name, what.path)
    if path is None:
        part = Shape((), what.sizeof(), None)
    elif isinstance(what, Inlined):
        part = _field(what.member.subcon, path + ".", what.member.name, offset)
    else:
        part = _plain(what, path, offset)
    arrays = part.arrays
    if what.dims:
        arrays = tuple(leaf._replace(dims=what.dims) for leaf in arrays)
    for view in what.views:
        arrays += _view(view, parent, name, offset, part.size)
    if path is None:  # the first bit field speaks for the nameless word
        arrays = (arrays[0]._replace(is_view=False), *arrays[1:])
    return part._replace(arrays=arrays)


def _plain(what: Any, path: str, offset: int) -> Shape:
    plain = core(as_construct(what))
    return _HANDLERS[type(plain)](plain, path, offset)


def _view(view: Bits | At, parent: str, name: str, offset: int, word: int) -> tuple[Leaf, ...]:
    path = join(parent, name, view.path)
    start = offset + view.offset
    if isinstance(view, Bits):
        size = view.size or word
        return (Leaf(path, start, size, False, view.shift, view.width, is_view=True),)
    arrays = _plain(view.what, path, start).arrays
    return tuple(leaf._replace(is_view=True) for leaf in arrays)


def join(parent: str, name: str, path: str) -> str:
    """Where a path given beside the field ``name`` leads, seen from the outermost structure."""
    return parent + name + path if not path or path[0] == "." else parent + path


def _integer(what: Any, path: str, offset: int) -> Shape:
    signed = what.fmtstr[-1].islower()
    return Shape((Leaf(path, offset, what.length, signed),), what.length, None)


def _octets(what: Octets, path: str, offset: int) -> Shape:
    leaf = Leaf(path, offset, what.unit.length, dims=what.dims)
    return Shape((leaf,), what.length, None)


def _guid(_what: Guid, path: str, offset: int) -> Shape:
    return Shape((Leaf(path, offset, 16, is_guid=True),), 16, None)


def _record(what: RecordStruct, path: str, offset: int) -> Shape:
    return shape_of(what, path + ".", offset)


def _array(what: Any, path: str, offset: int) -> Shape:
    element = core(what.subcon)
    size = element.sizeof()
    if isinstance(element, construct.FormatField):
        (leaf,) = _integer(element, path, offset).arrays
        return Shape((leaf._replace(dims=(what.count,)),), what.count * size, None)
    arrays: tuple[Leaf, ...] = ()
    for i in range(what.count):
        arrays += _plain(element, f"{path}[{i}]", offset + i * size).arrays
    return Shape(arrays, what.count * size, None)


def _counted(what: Counted, path: str, offset: int) -> Shape:
    return Shape((), 0, _tail(what.subcon, path, offset))


def _greedy(what: Greedy, path: str, offset: int) -> Shape:
    parent, _, name = path.rpartition(".")
    parent = parent + "." if parent else ""
    tail = _tail(what.subcon, join(parent, name, what.path), offset)
    heads = tuple(parent + head for head in what.heads)
    named_by = tuple(parent + other for other in what.named_by)
    return Shape((), 0, tail._replace(heads=heads, named_by=named_by, declared=len(heads)))


def _tail(subcon: Any, path: str, offset: int) -> Tail:
    element = core(subcon)
    if isinstance(element, RecordStruct):
        inner = shape_of(element)
        return Tail(path, offset, inner.size, inner, limit=None if inner.tail is None else 1)
    return Tail(path, offset, element.length, None)


def _up_to(what: UpTo, path: str, offset: int) -> Shape:
    parent, _, _ = path.rpartition(".")
    count_path = f"{parent}.{what.count_field}" if parent else what.count_field
    tail = Tail(
        path,
        offset,
        1,
        None,
        declared=what.declared,
        limit=what.limit,
        count_path=count_path if what.count_field else "",
        appended=what.appended,
    )
    return Shape((), 0, tail)


_HANDLERS: Mapping[type, Callable[[Any, str, int], Shape]] = {
    construct.FormatField: _integer,
    Octets: _octets,
    Guid: _guid,
    RecordStruct: _record,
    construct.Array: _array,
    Counted: _counted,
    Greedy: _greedy,
    UpTo: _up_to,
}
