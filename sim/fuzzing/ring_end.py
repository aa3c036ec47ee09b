# SPDX-License-Identifier: MIT
"""One end of a ring in the hands of somebody who writes what he likes into it.

Knows no packet's meaning and no signal.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from protocol.ring import TRAILER_BYTES, Ring, RingCorrupt
from sim.fuzzing.packets import RawPacket

_WORD: Final = struct.Struct("<I")


def put(ring: Ring, packet: RawPacket) -> bool:
    """Publish a packet as it says of itself; True when the reader must be signalled.

    Raises RingFull and RingCorrupt as :meth:`Ring.write`, which does all but to lie.
    """
    at = ring.write_index
    must_signal = ring.write(
        packet.packet_type, packet.flags, packet.transaction_id, packet.payload
    )
    if packet.lies:
        ring.forge_lengths(at, packet.offset8, packet.said_len8)
    return must_signal


def unread(ring: Ring, written: Sequence[RawPacket]) -> int:
    """How many of the packets that were written last still lie there unread."""
    try:
        left_bytes = ring.bytes_to_read()
    except RingCorrupt:
        return len(written)  # nobody reads on from an index that is none
    count = 0
    for packet in reversed(written):
        if left_bytes <= 0:
            break
        left_bytes -= packet.size + TRAILER_BYTES
        count += 1
    return count


def forge(shared: memoryview, word: int, value: int) -> None:
    """Write a 32-bit word of the ring's header page; ``shared`` is the ring's whole memory."""
    _WORD.pack_into(shared, word * _WORD.size, value)
