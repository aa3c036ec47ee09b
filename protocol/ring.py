# SPDX-License-Identifier: MIT
"""The VMBus ring: one direction of a channel, as bytes that both sides share.

:class:`Ring` applies the rules of ``protocol.ring_rules`` (whose names are to be had here, too) to
a memoryview: header page, then data. Knows no channel, no interrupt and no waiting: it answers
whether the other side must be signalled, and whoever asked does it.

The control words are reached through ``memoryview.cast``, which is native byte order, so the lab
runs on little-endian machines only (checked at import).
"""

import struct
import sys
from functools import lru_cache
from typing import Final, NoReturn

import msgspec

from protocol.errors import LocalProtocolError
from protocol.ring_rules import (
    DESCRIPTOR_BYTES,
    FEATURE_PENDING_SEND_SZ,
    HEADER_BYTES,
    LEN8_LIMIT,
    LINUX,
    LINUX_RAW,
    MAX_PACKET_BYTES,
    OPENVMM,
    OVERHEAD_BYTES,
    TRAILER_BYTES,
    ReaderRules,
    RingCorrupt,
    bytes_to_read,
    bytes_to_write,
    free_bytes_openvmm,
    must_signal_data,
    must_signal_space_linux,
    must_signal_space_openvmm,
    packet_bytes,
)

__all__ = [
    "DESCRIPTOR_BYTES",
    "HEADER_BYTES",
    "LINUX",
    "LINUX_RAW",
    "MAX_PACKET_BYTES",
    "OPENVMM",
    "OVERHEAD_BYTES",
    "TRAILER_BYTES",
    "Packet",
    "ReaderRules",
    "Ring",
    "RingCorrupt",
    "RingFull",
    "bytes_to_read",
    "bytes_to_write",
    "free_bytes_openvmm",
    "must_signal_data",
    "must_signal_space_linux",
    "must_signal_space_openvmm",
    "packet_bytes",
]

if sys.byteorder != "little":
    raise ImportError("the shared ring words are little-endian; so must be this machine")

_MAX_PAYLOAD_BYTES: Final = (LEN8_LIMIT << 3) - DESCRIPTOR_BYTES
_WRITE, _READ, _MASK, _PENDING, _FEATURES = 0, 1, 2, 3, 16  # 32-bit words of the header page
_RESERVED: Final = ((16, 64), (68, HEADER_BYTES))  # of its bytes: what those leave
_DESCRIPTOR = struct.Struct("<HHHHQ")  # type, offset8, len8, flags, trans_id
_LENGTHS = struct.Struct("<HH")  # of it: offset8, len8
_LENGTHS_AT: Final = 2  # bytes into it
_unpack_from = _DESCRIPTOR.unpack_from
_LENGTHS_KEPT: Final = 256  # more different payload lengths than a driver and its host use


@lru_cache(maxsize=_LENGTHS_KEPT)
def _packet_struct(payload_bytes: int) -> struct.Struct:
    """Descriptor, payload, zero padding, u32 0, u32 packet offset."""
    return struct.Struct(f"{_DESCRIPTOR.format}{payload_bytes}s{-payload_bytes % 8}xII")


class RingFull(LocalProtocolError):
    """The packet would leave no free byte, so empty and full could not be told apart."""


class Packet(msgspec.Struct, frozen=True, gc=False):
    """One packet as its reader sees it: lengths are the ring's, rounded up to 8 bytes."""

    packet_type: int
    flags: int
    transaction_id: int
    payload: bytes  # with up to 7 bytes of ring padding
    size: int  # bytes of descriptor and payload as the reader took it; the trailer comes on top


class Ring:
    """One ring over shared bytes: the header page and then the data area, a multiple of 8.

    Both ends make one of these over the same memory; ``rules`` matter to the reading end only.
    Nothing is cached but geometry, so what the other side changes is seen at once.
    Model: indices are read from the shared page each time, where Linux keeps a private copy of
    its own read index; an index out of range is refused on both ways.
    """

    __slots__ = ("_data", "_extent", "_rules", "_shared", "_words", "data_bytes")

    def __init__(self, shared: memoryview, rules: ReaderRules = LINUX) -> None:
        """:raises LocalProtocolError: the memory cannot hold a ring."""
        if len(shared) <= HEADER_BYTES or len(shared) % 8:
            raise LocalProtocolError(f"{len(shared)} bytes are no header page and data")
        self._shared = shared
        self._words = shared[:HEADER_BYTES].cast("I")
        self._data = shared[HEADER_BYTES:]
        self._rules = rules
        self._extent = rules.extent
        self.data_bytes: Final = len(self._data)

    def initialise(self) -> None:
        """Zero the header page and announce flow control, as ``hv_ringbuffer_init``."""
        self._shared[:HEADER_BYTES] = bytes(HEADER_BYTES)
        self._words[_FEATURES] = FEATURE_PENDING_SEND_SZ

    @property
    def write_index(self) -> int:
        return self._words[_WRITE]

    @write_index.setter
    def write_index(self, value: int) -> None:
        self._words[_WRITE] = value

    @property
    def read_index(self) -> int:
        return self._words[_READ]

    @read_index.setter
    def read_index(self, value: int) -> None:
        self._words[_READ] = value

    @property
    def interrupt_mask(self) -> int:
        return self._words[_MASK]

    @interrupt_mask.setter
    def interrupt_mask(self, value: int) -> None:
        self._words[_MASK] = value

    @property
    def pending_send_sz(self) -> int:
        return self._words[_PENDING]

    @pending_send_sz.setter
    def pending_send_sz(self, value: int) -> None:
        self._words[_PENDING] = value

    @property
    def feature_bits(self) -> int:
        return self._words[_FEATURES]

    @feature_bits.setter
    def feature_bits(self, value: int) -> None:
        self._words[_FEATURES] = value

    def reserved_is_zero(self) -> bool:
        """Whether nothing stands in the header page but the words above."""
        page = self._shared[:HEADER_BYTES].tobytes()
        return all(page[first:end] == bytes(end - first) for first, end in _RESERVED)

    # The functions of these names in ring_rules say what they count; here it is written out once
    # more, as both ends ask at every packet.

    def bytes_to_write(self) -> int:
        """Free bytes. :raises RingCorrupt: index out of range."""
        words, data_bytes = self._words, self.data_bytes
        read_index, write_index = words[_READ], words[_WRITE]
        if read_index >= data_bytes or write_index >= data_bytes:
            self._refuse_indices(read_index, write_index)
        used = write_index - read_index
        return data_bytes - used if used >= 0 else -used

    def bytes_to_read(self) -> int:
        """Bytes waiting. :raises RingCorrupt: index out of range."""
        return self.data_bytes - self.bytes_to_write()

    def empty(self) -> bool:
        """Whether nothing waits to be read; an index out of range counts as something."""
        return self._words[_READ] == self._words[_WRITE]

    def has_room(self, payload_bytes: int) -> bool:
        """Whether :meth:`write` would take a payload of that size now."""
        return self.bytes_to_write() > OVERHEAD_BYTES + (payload_bytes + 7 & ~7)

    def _refuse_indices(self, read_index: int, write_index: int) -> NoReturn:
        raise RingCorrupt(
            f"ring indices out of range: read {read_index} write {write_index}"
            f" size {self.data_bytes}"
        )

    def write(self, packet_type: int, flags: int, transaction_id: int, payload: bytes) -> bool:
        """Put one packet and publish it; True when the reader must be signalled.

        ``payload``: at most 524,264 bytes; ``transaction_id`` is 0 on unsolicited packets.
        :raises RingFull: not enough room; nothing was written (Linux: -EAGAIN).
        :raises RingCorrupt: an index is out of range (Linux 6.12: -EIO).
        """
        words, data_bytes = self._words, self.data_bytes
        read_index, at = words[_READ], words[_WRITE]
        if read_index >= data_bytes or at >= data_bytes:
            self._refuse_indices(read_index, at)
        length = len(payload)
        if length > _MAX_PAYLOAD_BYTES:
            raise LocalProtocolError(f"len8 cannot say {length} bytes of payload")
        packet = _packet_struct(length)
        size = packet.size
        end = at + size
        if (read_index - end if read_index > at else read_index + data_bytes - end) <= 0:
            raise RingFull(f"no room for a packet of {size} bytes")
        len8 = (length + DESCRIPTOR_BYTES + 7) >> 3
        if end < data_bytes:
            packet.pack_into(
                self._data, at, packet_type, 2, len8, flags, transaction_id, payload, 0, at
            )
        else:
            whole = packet.pack(packet_type, 2, len8, flags, transaction_id, payload, 0, at)
            end -= data_bytes
            self._data[at:] = whole[: size - end]
            self._data[:end] = whole[size - end :]
        words[_WRITE] = end
        return at == words[_READ] and not words[_MASK]  # must_signal_data, without the call

    def forge_lengths(self, at: int, offset8: int, len8: int) -> None:
        """A hostile writer: the packet written at the index ``at`` says this of itself."""
        start = (at + _LENGTHS_AT) % self.data_bytes
        _LENGTHS.pack_into(self._data, start, offset8, len8)

    def forge_bytes(self, start: int, data: bytes) -> None:
        """A hostile writer: the data area holds these bytes at the index ``start``, wrapping."""
        for at, byte in enumerate(data, start):
            self._data[at % self.data_bytes] = byte

    def peek(self, max_packet_bytes: int | None = None) -> Packet | None:
        """The next packet, left where it is; None when there is none.

        ``max_packet_bytes``: the reader's buffer where it is not the rules' own; what does not
        fit is clamped or refused as the rules say.
        :raises RingCorrupt: an index is out of range, or a descriptor the rules refuse.
        """
        words, data_bytes = self._words, self.data_bytes
        at, write_index = words[_READ], words[_WRITE]
        if at == write_index:
            return None
        if at >= data_bytes or write_index >= data_bytes:
            self._refuse_indices(at, write_index)
        available = write_index - at if write_index > at else write_index - at + data_bytes
        if available < DESCRIPTOR_BYTES:
            self._rules.fragment(available)
            return None
        limit = self._rules.max_packet_bytes if max_packet_bytes is None else max_packet_bytes
        if available > limit:
            available = limit
        if at + DESCRIPTOR_BYTES <= data_bytes:
            packet_type, offset8, len8, flags, transaction_id = _unpack_from(self._data, at)
        else:
            packet_type, offset8, len8, flags, transaction_id = _DESCRIPTOR.unpack(
                self.bytes_at(at, DESCRIPTOR_BYTES)
            )
        size, offset = self._extent(packet_type, offset8, len8, flags, available)
        end = at + size
        if end <= data_bytes:
            payload = self._data[at + offset : end].tobytes()
        else:
            payload = self.bytes_at(at + offset, size - offset)
        return Packet(packet_type, flags, transaction_id, payload, size)

    def consume(self, packet: Packet) -> None:
        """Publish that the packet which :meth:`peek` gave has been read."""
        self._words[_READ] = (self._words[_READ] + packet.size + TRAILER_BYTES) % self.data_bytes

    def read(self, max_packet_bytes: int | None = None) -> Packet | None:
        """Take the next packet and publish the read index, packet by packet as pci-hyperv does.

        Ask :meth:`must_signal_space` afterwards. Errors as :meth:`peek`.
        """
        packet = self.peek(max_packet_bytes)
        if packet is not None:  # as consume()
            words = self._words
            words[_READ] = (words[_READ] + packet.size + TRAILER_BYTES) % self.data_bytes
        return packet

    def must_signal_space(self, bytes_read: int) -> bool:
        """Whether the writer waits for the room that reading ``bytes_read`` bytes has just made.

        ``bytes_read``: sum of ``packet.size + TRAILER_BYTES`` since the last question. The wish
        is read after ``read_index`` is published and before ``write_index``, in that order.
        """
        words = self._words
        pending = words[_PENDING]
        if not pending:  # by far the most common
            return False
        return self._rules.must_signal_space(
            self.bytes_to_write(),
            bytes_read=bytes_read,
            pending_send_sz=pending,
            feature_bits=words[_FEATURES],
        )

    def begin_read(self) -> None:
        """Tell the writer not to signal while the ring is being drained (``hv_begin_read``)."""
        self._words[_MASK] = 1

    def end_read(self) -> int:
        """Ask for signals again; bytes that arrived meanwhile and were not signalled
        (``hv_end_read``): if there are any, the reader must begin again."""
        words = self._words
        words[_MASK] = 0
        return 0 if words[_READ] == words[_WRITE] < self.data_bytes else self.bytes_to_read()

    def bytes_at(self, start: int, length: int) -> bytes:
        """Bytes of the data area from ``start``, which may lie beyond its end, wrapping once.

        What is there as it is: no packet need begin at ``start``.
        """
        data_bytes = self.data_bytes
        end = start + length
        if end <= data_bytes:
            return self._data[start:end].tobytes()
        if start >= data_bytes:
            return self._data[start - data_bytes : end - data_bytes].tobytes()
        return self._data[start:].tobytes() + self._data[: end - data_bytes].tobytes()
