# SPDX-License-Identifier: MIT
"""The arithmetic of a VMBus ring, when its two ends signal, and what a reader makes of a packet.

Pure functions over indices and words; ``protocol.ring`` applies them to shared bytes. Where Linux
and OpenVMM differ there are two functions, gathered in :class:`ReaderRules`. Facts: wire-notes
section 6, Linux ``drivers/hv/ring_buffer.c``, OpenVMM ``vmbus_ring``.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from protocol.errors import RemoteProtocolError

HEADER_BYTES: Final = 4096  # sizeof(struct hv_ring_buffer): one page of control words
DESCRIPTOR_BYTES: Final = 16  # struct vmpacket_descriptor
TRAILER_BYTES: Final = 8  # VMBUS_PKT_TRAILER
OVERHEAD_BYTES: Final = DESCRIPTOR_BYTES + TRAILER_BYTES
FEATURE_PENDING_SEND_SZ: Final = 1  # feature_bits bit 0: the writer uses pending_send_sz
MAX_PACKET_BYTES: Final = 4096  # VMBUS_DEFAULT_MAX_PKT_SIZE: the Linux reader's packet buffer
LEN8_LIMIT: Final = 0xFFFF  # len8 is a u16

# What OpenVMM's reader knows (wire-constants: vmbus_packet_types): in-band, transfer pages,
# GPA direct, completion. Each needs a header of its own before the payload, in 8-byte units.
_OPENVMM_LEAST_OFFSET8: Final = {6: 2, 7: 3, 9: 3, 11: 2}
_COMPLETION_REQUESTED: Final = 1


class RingCorrupt(RemoteProtocolError):
    """The other side left control words or a descriptor that cannot be followed."""


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
    openvmm_extent, openvmm_fragment, must_signal_space_openvmm, LEN8_LIMIT << 3
)
