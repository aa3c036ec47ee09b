# SPDX-License-Identifier: MIT
"""One end of a ring in the hands of somebody who writes what he likes into it.

Knows no packet's meaning and no signal.
"""

from __future__ import annotations

import struct
from typing import Final

from protocol.ring import Ring
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


def forge(shared: memoryview, word: int, value: int) -> None:
    """Write a 32-bit word of the ring's header page; ``shared`` is the ring's whole memory."""
    _WORD.pack_into(shared, word * _WORD.size, value)
