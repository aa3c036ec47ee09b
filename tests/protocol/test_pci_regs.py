# SPDX-License-Identifier: MIT
"""Rows: access classes, BAR sizing, the walk along both chains."""

import pytest

from protocol.pci_cap_rows import EXTENDED, STANDARD, msi_layout
from protocol.pci_caps import (
    CapabilityChainError,
    capabilities,
    extended_capabilities,
    register_masks,
    registers_of,
    standard_capabilities,
)
from protocol.pci_regs import CONFIG_BYTES, HEADER, Access, Bar, Register, probed_bars


def config_with(values: dict[int, bytes]) -> bytes:
    image = bytearray(CONFIG_BYTES)
    for offset, value in values.items():
        image[offset : offset + len(value)] = value
    return bytes(image)


def test_a_bit_is_in_one_class_only() -> None:
    rows = [
        *HEADER,
        *(row for table in (STANDARD, EXTENDED) for la in table.values() for row in la[2]),
    ]
    for row in rows:
        assert not row.rw & row.w1c, row
        assert row.rw | row.w1c < 1 << 8 * row.size, row


def test_rows_of_one_layout_do_not_overlap() -> None:
    for table in (STANDARD, EXTENDED):
        for layout in table.values():
            taken = [
                at for row in layout.registers for at in range(row.offset, row.offset + row.size)
            ]
            assert len(taken) == len(set(taken)), layout.name


def test_access_classes_of_the_status_register() -> None:
    status = next(row for row in HEADER if row.name == "status")
    assert status.access(4) is Access.RO  # capability list
    assert status.access(13) is Access.W1C  # received master abort
    assert Register("x", 0, 1, rw=1).access(0) is Access.RW


@pytest.mark.parametrize(
    ("bar", "probed"),
    [
        (Bar(0, 16 << 20, 32, prefetchable=False), (0xFF00_0000, 0, 0, 0, 0, 0)),
        (Bar(1, 128 << 30, 64, prefetchable=True), (0, 0xC, 0xFFFF_FFE0, 0, 0, 0)),
        (Bar(4, 4096, 64, prefetchable=False), (0, 0, 0, 0, 0xFFFF_F004, 0xFFFF_FFFF)),
        (Bar(5, 16, 32, prefetchable=True), (0, 0, 0, 0, 0, 0xFFFF_FFF8)),
    ],
)
def test_probing_reads_the_size_and_the_type(bar: Bar, probed: tuple[int, ...]) -> None:
    assert probed_bars((bar,)) == probed


def test_msi_takes_four_forms() -> None:
    def names(control: int) -> dict[str, int]:
        return {row.name: row.offset for row in msi_layout(control).registers}

    assert names(0x000) == {"control": 2, "address": 4, "data": 8}
    assert names(0x080) == {"control": 2, "address": 4, "address_high": 8, "data": 12}
    assert names(0x100) | {"mask": 12, "pending": 16} == names(0x100)
    assert names(0x180) | {"mask": 16, "pending": 20} == names(0x180)


def test_only_announced_vectors_have_a_mask_bit() -> None:
    mask = msi_layout(0x0186).registers[-2]  # eight vectors
    assert (mask.name, mask.rw) == ("mask", 0xFF)


def test_both_chains_are_walked_in_their_own_order() -> None:
    config = config_with(
        {
            0x06: b"\x10",
            0x34: b"\x80",
            0x80: b"\x01\x40",
            0x40: b"\x11\x00",
            0x100: b"\x01\x00\x02\x20",
            0x200: b"\x03\x00\x01\x00",
        }
    )
    assert [(cap.at, cap.id, cap.version) for cap in capabilities(config)] == [
        (0x80, 0x01, 0),
        (0x40, 0x11, 0),
        (0x100, 0x01, 2),
        (0x200, 0x03, 1),
    ]


def test_no_chain_without_the_status_bit() -> None:
    assert standard_capabilities(config_with({0x34: b"\x40", 0x40: b"\x01\x00"})) == ()


@pytest.mark.parametrize(
    ("values", "offset", "reason"),
    [
        ({0x06: b"\x10", 0x34: b"\x40", 0x40: b"\x01\x40"}, 0x40, "loops"),
        ({0x06: b"\x10", 0x34: b"\x40", 0x40: b"\x01\x20"}, 0x20, "points into the header"),
        ({0x100: b"\x01\x00\x01\x10"}, 0x100, "loops"),
        ({0x100: b"\x01\x00\x01\x08"}, 0x80, "leaves the extended space"),
    ],
)
def test_a_broken_chain_is_named_by_its_offset(
    values: dict[int, bytes], offset: int, reason: str
) -> None:
    with pytest.raises(CapabilityChainError, match=reason) as caught:
        capabilities(config_with(values))
    assert caught.value.offset == offset


def test_no_extended_chain_in_zeros_or_all_ones() -> None:
    assert extended_capabilities(bytes(CONFIG_BYTES)) == ()
    assert extended_capabilities(b"\xff" * CONFIG_BYTES) == ()


def test_rows_stop_at_the_next_capability() -> None:
    # PCI Express v1 without the second block, MSI-X right behind it.
    config = config_with({0x06: b"\x10", 0x34: b"\x40", 0x40: b"\x10\x64", 0x64: b"\x11\x00"})
    rows = {row.name: row.offset for row in registers_of(config, ())}
    assert rows["link_status"] == 0x52
    assert "device_control_2" not in rows
    assert max(rows.values()) < 0x100


def test_masks_cover_the_whole_space_and_bars_only_without_decoding() -> None:
    masks = register_masks(bytes(CONFIG_BYTES), (Bar(0, 4096, 32, prefetchable=False),))
    assert {len(mask) for mask in masks} == {CONFIG_BYTES}
    assert masks.writable[0x10:0x14] == b"\x00\xf0\xff\xff"
    assert masks.writable_decoding[0x10:0x28] == bytes(24)
    assert masks.writable_decoding[:0x10] == masks.writable[:0x10]
