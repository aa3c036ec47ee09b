# SPDX-License-Identifier: MIT
"""Changes of packets: each does what its name says, and together they reach every boundary."""

from __future__ import annotations

import pytest

from protocol.ids import SlotNumber
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import RECORDS, MessageType, PciReadBlock, message_type
from sim.fuzzing import mutations
from sim.fuzzing.dice import BytesDice, Dice, seeded
from sim.fuzzing.mutations import CHANGES, mutate, spots
from sim.fuzzing.packets import RawPacket, answers, from_a_guest, from_a_host
from sim.fuzzing.recorded import recorded

SLOTS = (SlotNumber(0),)
RIGHT = RawPacket(PciReadBlock(block_id=3, bytes_requested=64).build(), transaction_id=9, flags=1)
POOL = from_a_guest(SLOTS)


def dice(number: int = 0) -> Dice:
    return seeded(1, number)


def test_right_packets_are_there_of_every_message() -> None:
    made = {message_type(payload) for payload in (*POOL, *from_a_host(SLOTS))}
    assert set(RECORDS) <= made | {MessageType.PCI_DELETE_INTERRUPT_MESSAGE2}
    assert len(set(answers())) == len(answers())


@pytest.mark.parametrize("direction", ["guest-to-host", "host-to-guest"])
def test_lives_give_packets_of_their_own(direction: str) -> None:
    found = recorded(direction)
    assert len(found) == len(set(found)) > 10


def test_a_packet_is_cut_at_every_byte() -> None:
    cuts = {len(mutations.truncate(dice(n), RIGHT, POOL)[0].payload) for n in range(400)}
    assert cuts == set(range(len(RIGHT.payload) + 1))


def test_every_field_is_found_by_its_name_and_set_to_its_limits() -> None:
    assert [(spot.offset, spot.size) for spot in spots(RIGHT.payload)] == [
        (0, 4), (4, 4), (8, 4), (12, 4),
    ]  # fmt: skip
    changed = {mutations.set_field(dice(n), RIGHT, POOL)[0].payload for n in range(400)}
    values = {int.from_bytes(payload[12:16], "little") for payload in changed}
    assert {0, 1, 2**32 - 1, 2**31} <= values


def test_slots_get_bits_that_no_slot_has() -> None:
    changed = {mutations.reserve_slot_bits(dice(n), RIGHT, POOL)[0].payload for n in range(900)}
    slots = {int.from_bytes(payload[8:12], "little") for payload in changed}
    assert {1 << bit for bit in range(32)} <= slots


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_nothing_at_all_falls_over_nothing(change: mutations.Change) -> None:
    for number in range(20):
        for packet in change(dice(number), RawPacket(b""), POOL):
            assert isinstance(packet.payload, bytes)


def test_answers_become_data_and_data_answers() -> None:
    turned = {mutations.retype_packet(dice(n), RIGHT, POOL)[0].packet_type for n in range(200)}
    assert {VM_PKT_COMP, 0, 7, 0xFFFF} <= turned
    assert VM_PKT_DATA_INBAND in turned


def test_the_same_numbers_make_the_same_packets() -> None:
    assert [mutate(dice(n), RIGHT, POOL) for n in range(50)] == [
        mutate(dice(n), RIGHT, POOL) for n in range(50)
    ]


def test_bytes_are_numbers_until_they_are_used_up() -> None:
    some = BytesDice(b"\x05\x00\xff\xff\x00\x01\x00")
    assert [some.below(10), some.below(0x10000), some.below(7), some.below(7)] == [5, 0xFFFF, 1, 0]
    assert BytesDice(b"\xff" * 8).below(1 << 64) == (1 << 64) - 1
