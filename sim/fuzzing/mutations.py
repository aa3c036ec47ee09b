# SPDX-License-Identifier: MIT
"""How a right packet becomes a wrong one: a table of changes, each a small function.

A change takes the dice, the packet, and the pool of right packets it may borrow from. It gives what
is to be written instead: mostly one packet, two where order or number is what is wrong. Knows no
ring, no state, and not whether anybody refuses the result.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, TypeAlias

from protocol.errors import WireFormatError
from protocol.vmbus import VM_PKT_ADDITIONAL_DATA, VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import RECORDS, MessageType, message_type
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.packets import RawPacket

Pool: TypeAlias = Sequence[bytes]
Change: TypeAlias = Callable[[Dice, RawPacket, Pool], tuple[RawPacket, ...]]

LONGEST_EXTENSION: Final = 64  # bytes; beyond every open end of a small message
FLIPS_MAX: Final = 4
WORD: Final = 4
RESERVED_BITS_FROM: Final = 8  # of a slot: five bits of device and three of function lie below
OVERLONG_BYTES: Final = 6000  # more than a Linux reader's buffer of 4096 bytes
IDS: Final = (0, 1, 2, 3, 64, 65, (1 << 32) - 1, 1 << 63, (1 << 64) - 2, (1 << 64) - 1)
PACKET_TYPES: Final = (*range(VM_PKT_ADDITIONAL_DATA + 2), 0x8000, 0xFFFF)
LENGTHS8: Final = (0, 1, 2, 3, 4, 0x200, 0x7FFF, 0xFFFF)


class Spot(NamedTuple):
    """Where a field lies in a payload, in bytes."""

    offset: int
    size: int


@lru_cache(maxsize=64)
def _spots_of(code: int) -> tuple[Spot, ...]:
    """The fields of the fixed part of a message."""
    record = RECORDS.get(code)
    if record is None:
        return ()
    found = {Spot(leaf.offset, leaf.size): None for leaf in record.SHAPE.leaves()}
    return tuple(spot for spot in found if spot.size <= 8)


def spots(payload: bytes) -> tuple[Spot, ...]:
    """The fields that lie in a payload; its words, where nobody says what it is."""
    try:
        declared = _spots_of(message_type(payload))
    except WireFormatError:
        return ()
    inside = tuple(spot for spot in declared if spot.offset + spot.size <= len(payload))
    return inside or tuple(Spot(at, WORD) for at in range(0, len(payload) - WORD + 1, WORD))


def _with(payload: bytes, spot: Spot, value: int) -> bytes:
    changed = bytearray(payload)
    field = (value & (1 << 8 * spot.size) - 1).to_bytes(spot.size, "little")
    changed[spot.offset : spot.offset + spot.size] = field
    return bytes(changed)


# Changes of the payload


def truncate(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Cut it anywhere; at 0 nothing is left of it."""
    return (packet._replace(payload=packet.payload[: dice.below(len(packet.payload) + 1)]),)


def extend(dice: Dice, packet: RawPacket, pool: Pool) -> tuple[RawPacket, ...]:
    """Something hangs on behind it."""
    behind = pick(dice, pool)[: 1 + dice.below(LONGEST_EXTENSION)]
    return (packet._replace(payload=packet.payload + behind),)


def lengthen(_dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Longer than its reader's buffer."""
    return (packet._replace(payload=packet.payload.ljust(OVERLONG_BYTES, b"\xa5")),)


def flip_bits(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """A few bits are others."""
    changed = bytearray(packet.payload)
    for _ in range(1 + dice.below(FLIPS_MAX)):
        if changed:
            changed[dice.below(len(changed))] ^= 1 << dice.below(8)
    return (packet._replace(payload=bytes(changed)),)


def set_field(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """A field at or beyond one of its limits: of its type, of a table, of what the bytes hold."""
    there = spots(packet.payload)
    if not there:
        return (packet,)
    spot = pick(dice, there)
    top = 1 << 8 * spot.size
    limits = (0, 1, 2, 31, 32, 33, 64, 145, 146, 255, 256, 4096, top >> 1, (top >> 1) - 1, top - 2)
    value = pick(dice, (*limits, top - 1, dice.below(1 << 16)))
    return (packet._replace(payload=_with(packet.payload, spot, value)),)


def reserve_slot_bits(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """A slot with bits that no slot has, or just another one."""
    there = [spot for spot in spots(packet.payload) if spot.size == WORD and spot.offset]
    if not there:
        return (packet,)
    spot = pick(dice, there)
    old = int.from_bytes(packet.payload[spot.offset : spot.offset + WORD], "little")
    bit = dice.below(8 * WORD - RESERVED_BITS_FROM) + RESERVED_BITS_FROM
    value = old | 1 << bit if dice.below(2) else old ^ 1 << dice.below(RESERVED_BITS_FROM)
    return (packet._replace(payload=_with(packet.payload, spot, value)),)


def retype_message(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Another message's type, or one that nobody knows."""
    if len(packet.payload) < WORD:
        return (packet,)
    codes = [int(code) for code in MessageType]
    code = pick(dice, codes) if dice.below(3) else dice.below(1 << 32)
    return (packet._replace(payload=_with(packet.payload, Spot(0, WORD), code)),)


def splice(dice: Dice, packet: RawPacket, pool: Pool) -> tuple[RawPacket, ...]:
    """The beginning of one packet with the end of another."""
    other = pick(dice, pool)
    cut = dice.below(min(len(packet.payload), len(other)) + 1)
    return (packet._replace(payload=packet.payload[:cut] + other[cut:]),)


# Changes of the descriptor


def reidentify(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Another transaction id."""
    return (packet._replace(transaction_id=pick(dice, IDS)),)


def retype_packet(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """In-band data as a completion, the other way round, or as what neither is."""
    if dice.below(2):
        turned = VM_PKT_COMP if packet.packet_type == VM_PKT_DATA_INBAND else VM_PKT_DATA_INBAND
        return (packet._replace(packet_type=turned),)
    return (packet._replace(packet_type=pick(dice, PACKET_TYPES)),)


def flag(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Flags that nobody knows, or an answer that is not wanted."""
    return (packet._replace(flags=pick(dice, (0, 1, 2, 3, 0x8000, 0xFFFF))),)


def lie_about_length(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """``len8`` is not how long it is."""
    return (packet._replace(len8=pick(dice, LENGTHS8)),)


def lie_about_offset(dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """``offset8`` is not where the payload begins."""
    return (packet._replace(offset8=pick(dice, LENGTHS8)),)


# Changes of order


def leave(_dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """Right in itself: what may be wrong is that it comes now."""
    return (packet,)


def repeat(_dice: Dice, packet: RawPacket, _pool: Pool) -> tuple[RawPacket, ...]:
    """The same once more, transaction id and all."""
    return packet, packet


CHANGES: Final[Sequence[Change]] = (
    truncate, truncate, extend, lengthen, flip_bits, flip_bits, set_field, set_field, set_field,
    reserve_slot_bits, retype_message, splice, reidentify, retype_packet, flag, lie_about_length,
    lie_about_offset, leave, leave, leave, repeat,
)  # fmt: skip
"""Each as often as it stands here; a ring whose lengths lie cannot be read on, so that is rare."""


def mutate(dice: Dice, packet: RawPacket, pool: Pool) -> tuple[RawPacket, ...]:
    """One change, now and then two upon each other."""
    changed = pick(dice, CHANGES)(dice, packet, pool)
    if dice.below(4):
        return changed
    return pick(dice, CHANGES)(dice, changed[0], pool)
