# SPDX-License-Identifier: MIT
"""BAR sizing and updating, access by access as __pci_read_base() and its like do it.

Expected sequences are read off the C code; "r"/"w", offset, size, value.
"""

from __future__ import annotations

import pytest

from guest.kernel.resource import (
    IORESOURCE_IO,
    IORESOURCE_MEM,
    IORESOURCE_MEM_64,
    IORESOURCE_PREFETCH,
    IORESOURCE_SIZEALIGN,
    IORESOURCE_UNSET,
)
from guest.pci_core.bars import decode_bar, pci_read_base, pci_size, pci_std_update_resource
from guest.pci_core.types import PciBus, PciDev
from protocol.ids import Devfn
from tests.guest.pci_core.fakes import Access, RegisterFile, Rig

ONES = 0xFFFF_FFFF


def device(function: RegisterFile) -> tuple[Rig, PciDev]:
    rig = Rig()
    rig.ops.functions[0] = function
    dev = PciDev(PciBus(rig.bridge), Devfn(0), 0x144D, 0xA80A)
    return rig, dev


def size_bar(rig: Rig, dev: PciDev, index: int = 0) -> bool:
    wide = rig.run(pci_read_base(dev, dev.resource[index], 0x10 + 4 * index, rom=False))
    assert isinstance(wide, bool)
    return wide


def update(rig: Rig, dev: PciDev, index: int) -> list[Access]:
    rig.ops.log.clear()
    rig.run(pci_std_update_resource(dev, index))
    return rig.ops.log


def test_a_32_bit_bar_takes_one_command_read_and_four_accesses() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000)
    function.put(0x10, 4, 0xF800_0000)
    rig, dev = device(function)
    assert not size_bar(rig, dev)
    assert rig.ops.log == [
        ("r", 0x04, 2, 0),
        ("r", 0x10, 4, 0xF800_0000),
        ("w", 0x10, 4, ONES),
        ("r", 0x10, 4, 0xFFFF_C000),
        ("w", 0x10, 4, 0xF800_0000),
    ]
    res = dev.resource[0]
    assert (res.start, res.end) == (0xF800_0000, 0xF800_3FFF)
    assert res.flags == IORESOURCE_MEM | IORESOURCE_SIZEALIGN


def test_a_64_bit_bar_is_sized_low_half_first() -> None:
    function = RegisterFile()
    function.bar(2, 128 << 30, wide=True, prefetch=True)
    function.put(0x18, 4, 0x0000_000C)
    function.put(0x1C, 4, 0x0000_0020)
    rig, dev = device(function)
    assert size_bar(rig, dev, 2)
    assert rig.ops.log == [
        ("r", 0x04, 2, 0),
        ("r", 0x18, 4, 0x0000_000C),
        ("w", 0x18, 4, ONES),
        ("r", 0x18, 4, 0x0000_000C),
        ("w", 0x18, 4, 0x0000_000C),
        ("r", 0x1C, 4, 0x0000_0020),
        ("w", 0x1C, 4, ONES),
        ("r", 0x1C, 4, 0xFFFF_FFE0),
        ("w", 0x1C, 4, 0x0000_0020),
    ]
    res = dev.resource[2]
    assert (res.start, res.size) == (0x20_0000_0000, 128 << 30)
    wanted = IORESOURCE_MEM | IORESOURCE_PREFETCH | IORESOURCE_MEM_64 | IORESOURCE_SIZEALIGN
    assert res.flags & ~0xF == wanted


def test_decoding_goes_off_around_the_sizing_only_if_it_was_on() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000, wide=True)
    function.put(0x04, 2, 0x0406)
    rig, dev = device(function)
    size_bar(rig, dev)
    assert rig.ops.command_writes() == [0x0404, 0x0406]
    assert rig.ops.log[1] == ("w", 0x04, 2, 0x0404)
    assert rig.ops.log[-1] == ("w", 0x04, 2, 0x0406)


def test_a_bar_that_is_not_there_has_no_flags_and_costs_the_same() -> None:
    rig, dev = device(RegisterFile())
    assert not size_bar(rig, dev, 5)
    assert rig.ops.log == [
        ("r", 0x04, 2, 0),
        ("r", 0x24, 4, 0),
        ("w", 0x24, 4, ONES),
        ("r", 0x24, 4, 0),
        ("w", 0x24, 4, 0),
    ]
    assert dev.resource[5].flags == 0


def test_all_ones_from_a_dead_device_are_no_bar() -> None:
    function = RegisterFile()
    function.put(0x10, 4, ONES)
    rig, dev = device(function)
    assert not size_bar(rig, dev)
    assert dev.resource[0].flags == 0


def test_a_wide_bar_without_a_size_leaves_its_second_register_to_be_sized_alone() -> None:
    function = RegisterFile()
    function.put(0x10, 4, 0x4)  # says 64-bit, but no address bit can be set
    rig, dev = device(function)
    assert not size_bar(rig, dev)
    assert dev.resource[0].flags == 0


def test_the_size_is_the_lowest_writable_bit() -> None:
    assert pci_size(0, 0xFFFF_C000, 0xFFFF_FFF0) == 0x4000
    assert pci_size(0, 0, 0xFFFF_FFF0) == 0
    # Base equal to the read-back is sound only if all address bits are set.
    assert pci_size(0xFFFF_C000, 0xFFFF_C000, 0xFFFF_FFF0) == 0x4000
    assert pci_size(0xFF00_C000, 0xFF00_C000, 0xFFFF_FFF0) == 0


@pytest.mark.parametrize(
    ("bar", "flags"),
    [
        (0x0, IORESOURCE_MEM),
        (0x1, IORESOURCE_IO | 1),
        (0x4, IORESOURCE_MEM | IORESOURCE_MEM_64 | 4),
        (0x8, IORESOURCE_MEM | IORESOURCE_PREFETCH | 8),
        (0x6, IORESOURCE_MEM | 6),  # reserved type: treated as 32-bit
    ],
)
def test_a_bars_low_bits_become_flags(bar: int, flags: int) -> None:
    assert decode_bar(0xF000_0000 | bar) == flags


def test_updating_a_64_bit_bar_switches_memory_off_and_back_to_what_it_was() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000, wide=True)
    function.put(0x04, 2, 0x0006)
    rig, dev = device(function)
    size_bar(rig, dev)
    dev.resource[0].start, dev.resource[0].end = 0x10_0000_4000, 0x10_0000_7FFF
    assert update(rig, dev, 0) == [
        ("r", 0x04, 2, 0x0006),
        ("w", 0x04, 2, 0x0004),
        ("w", 0x10, 4, 0x0000_4004),
        ("r", 0x10, 4, 0x0000_4004),
        ("w", 0x14, 4, 0x10),
        ("r", 0x14, 4, 0x10),
        ("w", 0x04, 2, 0x0006),
    ]


def test_updating_a_64_bit_bar_writes_the_command_register_even_when_memory_is_off() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000, wide=True)
    rig, dev = device(function)
    size_bar(rig, dev)
    dev.resource[0].start, dev.resource[0].end = 0x10_0000_4000, 0x10_0000_7FFF
    update(rig, dev, 0)
    assert rig.ops.command_writes() == [0, 0]


def test_updating_a_32_bit_bar_leaves_the_command_register_alone() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000)
    function.put(0x04, 2, 0x0006)
    rig, dev = device(function)
    size_bar(rig, dev)
    dev.resource[0].start, dev.resource[0].end = 0xF800_4000, 0xF800_7FFF
    assert update(rig, dev, 0) == [
        ("w", 0x10, 4, 0xF800_4000),
        ("r", 0x10, 4, 0xF800_4000),
    ]


def test_a_resource_without_an_address_is_not_written() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000)
    rig, dev = device(function)
    size_bar(rig, dev)
    dev.resource[0].flags |= IORESOURCE_UNSET
    assert update(rig, dev, 0) == []


def test_a_host_that_ignores_the_write_is_complained_about() -> None:
    function = RegisterFile()
    function.bar(0, 0x4000)
    rig, dev = device(function)
    size_bar(rig, dev)
    function.writable[0x10] = 0  # memory decoding is on as far as the host is concerned
    dev.resource[0].start, dev.resource[0].end = 0xF800_4000, 0xF800_7FFF
    update(rig, dev, 0)
    assert any(
        "error updating" in text for _, level, text in rig.kernel.log_lines if level == "err"
    )
