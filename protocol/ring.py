# SPDX-License-Identifier: MIT
"""The VMBus ring: one direction of a channel, as bytes that both sides share.

Arithmetic and signalling rules are pure functions; :class:`Ring` applies them to a memoryview
(header page, then data). Knows no channel, no interrupt and no waiting: it answers whether the
other side must be signalled, and whoever asked does it. Facts: wire-notes section 6, Linux
``drivers/hv/ring_buffer.c``, OpenVMM ``vmbus_ring``.

The four control words are reached through ``memoryview.cast``, which is native byte order, so the
lab runs on little-endian machines only (checked at import).
"""

import struct
import sys
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from protocol.errors import LocalProtocolError, RemoteProtocolError

if sys.byteorder != "little":
    raise ImportError("the shared ring words are little-endian; so must be this machine")

HEADER_BYTES: Final = 4096  # sizeof(struct hv_ring_buffer): one page of control words
DESCRIPTOR_BYTES: Final = 16  # struct vmpacket_descriptor
TRAILER_BYTES: Final = 8  # VMBUS_PKT_TRAILER
OVERHEAD_BYTES: Final = DESCRIPTOR_BYTES + TRAILER_BYTES
FEATURE_PENDING_SEND_SZ: Final = 1  # feature_bits bit 0: the writer uses pending_send_sz
MAX_PACKET_BYTES: Final = 4096  # VMBUS_DEFAULT_MAX_PKT_SIZE: the Linux reader's packet buffer

# What OpenVMM's reader knows (wire-constants: vmbus_packet_types): in-band, transfer pages,
# GPA direct, completion. Each needs a header of its own before the payload, in 8-byte units.
_OPENVMM_LEAST_OFFSET8: Final = {6: 2, 7: 3, 9: 3, 11: 2}
_COMPLETION_REQUESTED: Final = 1
_LEN8_LIMIT: Final = 0xFFFF  # len8 is a u16
_MAX_PAYLOAD_BYTES: Final = (_LEN8_LIMIT << 3) - DESCRIPTOR_BYTES

_WRITE, _READ, _MASK, _PENDING, _FEATURES = 0, 1, 2, 3, 16  # 32-bit words of the header page
_DESCRIPTOR = struct.Struct("<HHHHQ")  # type, offset8, len8, flags, trans_id
_unpack_from = _DESCRIPTOR.unpack_from
_PAD_AND_TRAILER = tuple(  # by len(payload) % 8: zero padding, u32 0, u32 packet offset
    struct.Struct(f"<{-tail % 8}xII").pack for tail in range(8)
)


class RingFull(LocalProtocolError):
    """The packet would leave no free byte, so empty and full could not be told apart."""


class RingCorrupt(RemoteProtocolError):
    """The other side left control words or a descriptor that cannot be followed."""


class Packet(NamedTuple):
    """One packet as its reader sees it: lengths are the ring's, rounded up to 8 bytes."""

    packet_type: int
    flags: int
    transaction_id: int
    payload: bytes  # with up to 7 bytes of ring padding
    size: int  # bytes of descriptor and payload as the reader took it; the trailer comes on top


# --- arithmetic ---------------------------------------------------------------------------------


def packet_bytes(payload_bytes: int) -> int:
    """Ring bytes that a payload takes: descriptor, payload padded to 8, trailer."""
    return OVERHEAD_BYTES + ((payload_bytes + 7) & ~7)


def bytes_to_write(read_index: int, write_index: int, data_bytes: int) -> int:
    """Free bytes as Linux counts them, the one that must stay free included."""
    if write_index >= read_index:
        return data_bytes - (write_index - read_index)
    return read_index - write_index


def bytes_to_read(read_index: int, write_index: int, data_bytes: int) -> int:
    """Bytes between the indices, as ``hv_get_bytes_to_read`` counts them."""
    return data_bytes - bytes_to_write(read_index, write_index, data_bytes)


def free_bytes_openvmm(read_index: int, write_index: int, data_bytes: int) -> int:
    """Free bytes as OpenVMM counts them: what the largest packet with its trailer may take."""
    return bytes_to_write(read_index, write_index, data_bytes) - TRAILER_BYTES


# --- when to signal -----------------------------------------------------------------------------


def must_signal_data(old_write_index: int, read_index: int, interrupt_mask: int) -> bool:
    """Whether the writer signals after publishing: empty to non-empty, and not masked.

    ``read_index`` and ``interrupt_mask`` are as read after the write index was published
    (``hv_signal_on_write``; OpenVMM alike). Hyper-V may throttle a guest that signals more.
    """
    return not interrupt_mask and old_write_index == read_index


def must_signal_space_linux(
    free_bytes: int, *, bytes_read: int, pending_send_sz: int, feature_bits: int
) -> bool:
    """Whether a Linux reader wakes a blocked writer (``hv_pkt_iter_close``).

    Only on the step from "too little" to "enough", where exactly enough is still too little.
    ``free_bytes`` is after ``read_index`` moved by ``bytes_read``.
    """
    if not feature_bits & FEATURE_PENDING_SEND_SZ or not pending_send_sz:
        return False
    return free_bytes - bytes_read <= pending_send_sz < free_bytes


def must_signal_space_openvmm(
    free_bytes: int, *, bytes_read: int, pending_send_sz: int, feature_bits: int
) -> bool:
    """The same by OpenVMM: the low 3 bits of the wish are dropped, the feature bit ignored."""
    del feature_bits
    pending = pending_send_sz & ~7
    return pending != 0 and free_bytes - bytes_read <= pending < free_bytes


# --- what a reader makes of a descriptor ---------------------------------------------------------


def linux_extent(
    packet_type: int, offset8: int, len8: int, flags: int, available: int
) -> tuple[int, int]:
    """Packet and header bytes as ``hv_pkt_iter_first`` clamps them: nothing is ever refused.

    A length below the descriptor or beyond ``available`` becomes all that is available, a bad
    offset becomes 16; so a lying writer makes the reader lose step, as it does in Linux.
    """
    del packet_type, flags
    length, offset = len8 << 3, offset8 << 3
    if not DESCRIPTOR_BYTES <= length <= available:
        length = available & ~7
    if not DESCRIPTOR_BYTES <= offset <= length:
        offset = DESCRIPTOR_BYTES
    return length, offset


def linux_raw_extent(
    packet_type: int, offset8: int, len8: int, flags: int, available: int
) -> tuple[int, int]:
    """As :func:`linux_extent` for a raw reader, who looks for the payload at byte 16 whatever
    offset8 says (``hv_pci_onchannelcallback`` over ``vmbus_recvpacket_raw``)."""
    length, _ = linux_extent(packet_type, offset8, len8, flags, available)
    return length, DESCRIPTOR_BYTES


def openvmm_extent(
    packet_type: int, offset8: int, len8: int, flags: int, available: int
) -> tuple[int, int]:
    """Packet and header bytes by OpenVMM's ``parse_packet``.

    Model: a GPA-direct packet's own header is not looked into (there, no range is an error).
    :raises RingCorrupt: unknown type, unknown flag, offset8 or len8 out of range.
    """
    if available & 7 or offset8 > len8 or len8 << 3 > available or offset8 < 2:
        raise RingCorrupt(f"descriptor: offset8 {offset8}, len8 {len8}, {available} bytes there")
    if flags & ~_COMPLETION_REQUESTED:
        raise RingCorrupt(f"descriptor: unknown flags {flags:#x}")
    least = _OPENVMM_LEAST_OFFSET8.get(packet_type)
    if least is None:
        raise RingCorrupt(f"descriptor: unknown packet type {packet_type}")
    if offset8 < least:
        raise RingCorrupt(f"descriptor: offset8 {offset8} leaves no header for type {packet_type}")
    return len8 << 3, offset8 << 3


def linux_fragment(available: int) -> None:
    """Less than a descriptor: not there yet (``hv_pkt_iter_first``)."""
    del available


def openvmm_fragment(available: int) -> None:
    """Less than a descriptor. :raises RingCorrupt: a writer publishes whole packets."""
    raise RingCorrupt(f"{available} bytes are no descriptor")


class ReaderRules(NamedTuple):
    """How one implementation reads: what it makes of a descriptor, when it wakes the writer."""

    extent: Callable[[int, int, int, int, int], tuple[int, int]]
    fragment: Callable[[int], None]
    must_signal_space: Callable[..., bool]
    max_packet_bytes: int  # the reader's own packet buffer


LINUX: Final = ReaderRules(linux_extent, linux_fragment, must_signal_space_linux, MAX_PACKET_BYTES)
LINUX_RAW: Final = LINUX._replace(extent=linux_raw_extent)
# No buffer to overrun there, the payload is read in place: what 16 bits of len8 can say.
OPENVMM: Final = ReaderRules(
    openvmm_extent, openvmm_fragment, must_signal_space_openvmm, _LEN8_LIMIT << 3
)


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

    def bytes_to_write(self) -> int:
        """Free bytes; see the function of that name. :raises RingCorrupt: index out of range."""
        return bytes_to_write(*self._indices(), self.data_bytes)

    def bytes_to_read(self) -> int:
        """Bytes waiting. :raises RingCorrupt: index out of range."""
        return bytes_to_read(*self._indices(), self.data_bytes)

    def has_room(self, payload_bytes: int) -> bool:
        """Whether :meth:`write` would take a payload of that size now."""
        return self.bytes_to_write() > packet_bytes(payload_bytes)

    def _indices(self) -> tuple[int, int]:
        read_index, write_index = self._words[_READ], self._words[_WRITE]
        if read_index >= self.data_bytes or write_index >= self.data_bytes:
            self._refuse_indices(read_index, write_index)
        return read_index, write_index

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
        descriptor = _DESCRIPTOR.pack(packet_type, 2, (length + 23) >> 3, flags, transaction_id)
        packet = descriptor + payload + _PAD_AND_TRAILER[length & 7](0, at)
        end = at + len(packet)
        if (read_index - end if read_index > at else read_index + data_bytes - end) <= 0:
            raise RingFull(f"no room for a packet of {len(packet)} bytes")
        if end < data_bytes:
            self._data[at:end] = packet
        else:
            end -= data_bytes
            head_bytes = data_bytes - at
            self._data[at:] = packet[:head_bytes]
            self._data[:end] = packet[head_bytes:]
        words[_WRITE] = end
        return at == words[_READ] and not words[_MASK]  # must_signal_data, without the call

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
                self._bytes_at(at, DESCRIPTOR_BYTES)
            )
        size, offset = self._extent(packet_type, offset8, len8, flags, available)
        end = at + size
        if end <= data_bytes:
            payload = self._data[at + offset : end].tobytes()
        else:
            payload = self._bytes_at(at + offset, size - offset)
        return Packet(packet_type, flags, transaction_id, payload, size)

    def consume(self, packet: Packet) -> None:
        """Publish that the packet which :meth:`peek` gave has been read."""
        self._words[_READ] = (self._words[_READ] + packet.size + TRAILER_BYTES) % self.data_bytes

    def read(self, max_packet_bytes: int | None = None) -> Packet | None:
        """Take the next packet and publish the read index, packet by packet as pci-hyperv does.

        Ask :meth:`must_signal_space` afterwards. Errors as :meth:`peek`.
        """
        packet = self.peek(max_packet_bytes)
        if packet is not None:
            self.consume(packet)
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
        self._words[_MASK] = 0
        return self.bytes_to_read()

    def _bytes_at(self, start: int, length: int) -> bytes:
        """Bytes of the data area from ``start``, which may lie beyond its end, wrapping once."""
        data_bytes = self.data_bytes
        end = start + length
        if end <= data_bytes:
            return self._data[start:end].tobytes()
        if start >= data_bytes:
            return self._data[start - data_bytes : end - data_bytes].tobytes()
        return self._data[start:].tobytes() + self._data[: end - data_bytes].tobytes()
