# SPDX-License-Identifier: MIT
"""Bytes of a structure as ``{path: value}`` and back, by the structure's kernel name.

Every leaf has a key, the views of words and unions too; a GUID is one key of canonical text; array
elements each have theirs. ``encode`` writes any set of them onto zeroes and refuses contradictions.
Knows every structure by name, no protocol: it does not mind values that no peer would send.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final
from uuid import UUID

from protocol import freebsd, hypercall, openvmm, openvmm_vmbus, synic, vmbus, vmbus_packets, vpci
from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError, WireFormatError
from protocol.leaves import Leaf, Shape, Tail
from protocol.packet_view import PACKET, decode_packet
from protocol.vmbus_packets import PACKET_BYTES_MAX, VmpacketDescriptor

Value = int | str

_MODULES: Final = (
    *(vpci, vmbus, vmbus_packets, synic),
    *(hypercall, openvmm, openvmm_vmbus, freebsd),
)
RECORDS: Mapping[str, type[WireRecord]] = {
    record.KERNEL_NAME: record
    for module in _MODULES
    for record in vars(module).values()
    if isinstance(record, type) and issubclass(record, WireRecord) and record is not WireRecord
}
_INDEX: Final = re.compile(r"\d{1,9}(?=\])")
_ALIGNMENT: Final = 8  # ring packets are padded to a multiple of this


class WorkbenchError(LocalProtocolError):
    """What the user asked for cannot be: an unknown name, a value that does not fit."""


def names() -> tuple[str, ...]:
    """The names ``decode`` takes, sorted, and ``packet``."""
    return (PACKET, *sorted(RECORDS))


def decode(name: str, data: bytes) -> tuple[int, dict[str, Value]]:
    """(bytes used, ``{path: value}``) of the structure ``name``.

    A flexible array holds as many elements as the bytes do. Raises WorkbenchError for an unknown
    name, WireFormatError (field and offset) for bytes too short or left over beyond ring padding.
    """
    if name == PACKET:
        return decode_packet(data, _decode_record)
    shape = _shape(name)
    _require(name, shape, data)
    values = {leaf.path: _read(leaf, data) for leaf in shape.leaves()}
    end, last = shape.size, _last_path(shape)
    if shape.tail is not None:
        end, last = _decode_tail(name, shape.tail, data, values, last)
    left = len(data) - end
    if left and left != -end % _ALIGNMENT:
        reason = f"{left} bytes left over behind it, and ring padding would be {-end % _ALIGNMENT}"
        raise WireFormatError(name, last, end, reason)
    return end, values


def encode(name: str, values: Mapping[str, Value]) -> bytes:
    """The bytes of the structure ``name``; missing paths are zero.

    An array of open length ends with the last element named; if none is, it has the kernel's
    declared length. Raises WorkbenchError naming the path that is unknown, does not fit, or
    contradicts another view of the same bytes.
    """
    if name == PACKET:
        raise WorkbenchError("a packet can only be decoded: encode the structure it carries")
    shape = _shape(name)
    leaves = {leaf.path: leaf for leaf in shape.leaves()}
    size = shape.size
    if shape.tail is not None:
        size += _open_tail(name, shape.tail, values, leaves)
    unknown = [path for path in values if path not in leaves]
    if unknown:
        raise WorkbenchError(f"{name} has no {unknown[0]}; it has {', '.join(_summary(shape))}")
    return _write(name, size, [(leaves[path], value) for path, value in values.items()])


def _decode_record(record: type[WireRecord], payload: bytes) -> tuple[int, dict[str, Value]]:
    """Like decode, of a payload whose padding cannot be told from data: by parse and build."""
    used = payload[: len(record.parse(payload).build())]
    shape = record.SHAPE
    values = {leaf.path: _read(leaf, used) for leaf in shape.leaves()}
    if shape.tail is not None:
        _decode_tail(record.KERNEL_NAME, shape.tail, used, values, "")
    return len(used), values


@cache
def _shape(name: str) -> Shape:
    """The shape under a name; ``A+B`` are two structures in a row, below ``h.`` and ``b.``."""
    first, plus, second = name.partition("+")
    if plus:
        head, body = _shape(first), _shape(second)
        return _joined(head.moved("h.", 0), body.moved("b.", head.size))
    if name not in RECORDS:
        raise WorkbenchError(f"no structure {name!r}; there are {', '.join(names())}")
    record = RECORDS[name]
    if not record.INCLUDES_DESCRIPTOR:
        return record.SHAPE
    descriptor = VmpacketDescriptor.SHAPE.moved(record.DESCRIPTOR_PATH + ".", 0)
    return _joined(descriptor, record.SHAPE.moved("", descriptor.size))


def _joined(first: Shape, second: Shape) -> Shape:
    return Shape(first.arrays + second.arrays, first.size + second.size, second.tail)


def _last_path(shape: Shape) -> str:
    return [leaf.path for leaf in shape.arrays if not leaf.is_view][-1]


def _require(name: str, shape: Shape, data: bytes) -> None:
    """Refuse bytes that end inside the fixed part."""
    for leaf in () if len(data) >= shape.size else shape.leaves():
        missing = leaf.offset + leaf.size - len(data)
        if missing > 0 and not leaf.is_view:
            raise WireFormatError(name, leaf.path, leaf.offset, f"{missing} bytes too short")


def _decode_tail(
    name: str, tail: Tail, data: bytes, values: dict[str, Value], last: str
) -> tuple[int, str]:
    """Read the open end; (offset behind it, path of its last element)."""
    count = (len(data) - tail.offset) // tail.stride
    if tail.limit is not None:
        count = min(count, tail.limit)
    if tail.element is None and tail.stride == 1 and tail.declared and not count:
        raise WireFormatError(name, f"{tail.path}[0]", tail.offset, "1 bytes too short")
    for index in range(count):
        for leaf in tail.element_leaves(index):
            values[leaf.path] = _read(leaf, data)
    end = tail.offset + count * tail.stride
    if count:
        last = tail.element_path(count - 1)
    nested = tail.nested()
    if count and nested is not None:
        return _decode_tail(name, nested, data, values, last)
    return end, last


def _open_tail(name: str, tail: Tail, values: Mapping[str, Value], leaves: dict[str, Leaf]) -> int:
    """Give the open end the length that ``values`` name; adds its leaves, returns its bytes."""
    count = max((_named_index(tail, path) + 1 for path in values), default=0)
    if not count and not any(path in values for path in tail.named_by):
        count = tail.declared
    elif count and values.get(tail.count_path) == count:
        count += tail.appended
    if tail.limit is not None and count > tail.limit:
        raise WorkbenchError(f"{name}.{tail.path}: {tail.limit} elements at most")
    if tail.offset + count * tail.stride > PACKET_BYTES_MAX:
        raise WorkbenchError(f"{name}.{tail.path}: a packet has {PACKET_BYTES_MAX} bytes at most")
    for index in range(count):
        leaves.update((leaf.path, leaf) for leaf in tail.element_leaves(index))
    nested = tail.nested()
    inner = 0 if nested is None or not count else _open_tail(name, nested, values, leaves)
    return count * tail.stride + inner


def _named_index(tail: Tail, path: str) -> int:
    """Which element of the tail ``path`` lies in; -1 for none."""
    if path in tail.heads:
        return tail.heads.index(path)
    if not path.startswith(tail.path + "["):
        return -1
    index = _INDEX.match(path, len(tail.path) + 1)
    return -1 if index is None else len(tail.heads) + int(index[0])


def _read(leaf: Leaf, data: bytes) -> Value:
    word = data[leaf.offset : leaf.offset + leaf.size]
    if leaf.is_guid:
        return str(UUID(bytes_le=word))
    value = int.from_bytes(word, "little", signed=leaf.signed)
    return value >> leaf.shift & (1 << leaf.width) - 1 if leaf.width else value


def _write(name: str, size: int, values: list[tuple[Leaf, Value]]) -> bytes:
    """All values onto zeroes. As integers, so that bit fields and bytes are checked alike."""
    image = known = 0
    written: list[tuple[str, int]] = []
    for leaf, value in values:
        mask = (1 << (leaf.width or 8 * leaf.size)) - 1
        shift = 8 * leaf.offset + leaf.shift
        bits = _bits(name, leaf, value, mask) << shift
        mask <<= shift
        wrong = (image ^ bits) & mask & known
        if wrong:
            other = next(path for path, theirs in written if theirs & wrong)
            raise WorkbenchError(
                f"{name}.{leaf.path} contradicts {other}: both name the same bytes"
            )
        image |= bits
        known |= mask
        written.append((leaf.path, mask))
    return image.to_bytes(size, "little")


def _bits(name: str, leaf: Leaf, value: Value, mask: int) -> int:
    """The value's bits, or WorkbenchError that says what would fit."""
    if leaf.is_guid:
        try:
            return int.from_bytes(UUID(str(value)).bytes_le, "little")
        except ValueError:
            raise WorkbenchError(f"{name}.{leaf.path}: {value!r} is no GUID") from None
    low, high = (-(mask >> 1) - 1, mask >> 1) if leaf.signed else (0, mask)
    if type(value) is not int or not low <= value <= high:
        raise WorkbenchError(f"{name}.{leaf.path}: {value!r} is no integer in {low}..{high}")
    return value & mask


def _summary(shape: Shape) -> Iterator[str]:
    """The paths of a structure, arrays once."""
    for leaf in shape.arrays:
        yield leaf.path + "".join(f"[0..{extent - 1}]" for extent in leaf.dims)
    tail = shape.tail
    while tail is not None:
        yield from tail.heads
        yield from (leaf.path for leaf in tail.element_leaves(len(tail.heads)))
        tail = tail.nested()
