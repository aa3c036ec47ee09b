# SPDX-License-Identifier: MIT
"""Remapping entries: a table against a plain dict, and two ways to write an MSI message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.remapping import (
    MAX_ENTRIES_PER_DEVICE,
    REMAPPABLE,
    SOFTWARE_TABLE,
    SPI_TABLE,
    MsiFormat,
    RemapTable,
)
from protocol.ids import PcpuId, Vector, VpIndex

VP = (VpIndex(3),)
formats = pytest.mark.parametrize(
    "msi_format", [REMAPPABLE, SOFTWARE_TABLE, SPI_TABLE], ids=lambda f: f.name
)


def add(table: RemapTable, vector: int = 40, count: int = 1) -> tuple[int, int]:
    message = table.add_block(Vector(vector), count, VP, 0, PcpuId(0))
    assert message is not None
    return message


@formats
@given(index=st.integers(0, MAX_ENTRIES_PER_DEVICE - 1), count=st.sampled_from([1, 2, 32]))
def test_a_message_finds_the_index_it_was_made_from(
    msi_format: MsiFormat, index: int, count: int
) -> None:
    address, data = msi_format.encode(index, count)
    assert address >> 20 == (0xFFF if msi_format is SPI_TABLE else 0xFEE)
    assert msi_format.decode(address, data) == index


def test_the_first_messages_are_these() -> None:
    assert REMAPPABLE.encode(0, 1) == (0xFEE00010, 0)
    assert REMAPPABLE.encode(1, 2) == (0xFEE00038, 0)  # subhandle valid: data + n is the n-th
    assert SOFTWARE_TABLE.encode(1, 1) == (0xFEE00004, 0)
    assert SPI_TABLE.encode(1, 4) == (0xFFFF0040, 1)


def test_openvmm_s_table_loses_the_offset_within_a_block() -> None:
    table = RemapTable(SOFTWARE_TABLE)
    address, data = add(table, 40, 4)
    assert len(table) == 1
    for nth in range(4):
        entry = table.find(address, data + nth)
        assert entry is not None
        assert entry.vector == 40


def test_every_vector_of_a_block_has_its_own_entry() -> None:
    table = RemapTable(REMAPPABLE)
    add(table)
    address, data = add(table, 64, 32)
    found = [table.find(address, data + nth) for nth in range(32)]
    assert [entry.vector for entry in found if entry is not None] == list(range(64, 96))
    assert table.find(address, data + 32) is None
    assert len(table) == len(list(table)) == 33


@formats
def test_the_lowest_free_entry_is_taken_first(msi_format: MsiFormat) -> None:
    table = RemapTable(msi_format)
    messages = [add(table, 40 + nth) for nth in range(4)]
    for message in (messages[2], messages[1]):
        assert table.remove_block(*message) is not None
    assert add(table) == messages[1]
    assert add(table) == messages[2]


@formats
def test_a_message_reaches_nothing_after_its_block_is_removed(msi_format: MsiFormat) -> None:
    table = RemapTable(msi_format)
    message = add(table, 40, 2)
    assert table.remove_block(*message) is not None
    assert table.find(*message) is None
    assert table.remove_block(*message) is None
    assert len(table) == 0


def test_a_block_is_removed_by_the_message_it_was_given_only() -> None:
    table = RemapTable(REMAPPABLE)
    address, data = add(table, 40, 4)
    assert table.remove_block(address, data + 1) is None
    assert table.remove_block(address ^ 1 << 3, data) is None
    assert table.remove_block(0xFED00000, 0) is None
    assert table.remove_block(address, data) is not None


def test_blocks_made_and_removed_for_ever_need_no_more_room() -> None:
    table = RemapTable(REMAPPABLE)
    messages = set()
    for _ in range(3000):
        messages.add(message := add(table, 32, 32))
        table.remove_block(*message)
    assert len(messages) == 1


def test_a_full_table_says_so() -> None:
    table = RemapTable(REMAPPABLE)
    for _ in range(MAX_ENTRIES_PER_DEVICE // 32):
        add(table, 32, 32)
    assert table.add_block(Vector(40), 1, VP, 0, PcpuId(0)) is None


@formats
@pytest.mark.parametrize("address", [0, 0xFEE00000 << 8, 0xFED00010, 0xFEF00010])
def test_what_is_no_interrupt_message_reaches_nothing(msi_format: MsiFormat, address: int) -> None:
    table = RemapTable(msi_format)
    add(table)
    assert table.find(address, 0) is None
