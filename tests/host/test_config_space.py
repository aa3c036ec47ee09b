# SPDX-License-Identifier: MIT
"""Configuration space against a slow oracle that goes bit by bit through the rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.config_space import ConfigSpace, RegisterFile
from host.devices import PROFILES
from protocol.errors import LocalProtocolError
from protocol.pci_caps import registers_of
from protocol.pci_regs import CONFIG_BYTES, Access, Bar, Register

EDGES = (0x00, 0x03, 0x04, 0x06, 0x0C, 0x10, 0x28, 0x3C, 0x40, 0xB0, 0x100, 0x104, 0xFFC, 0xFFF)
SIZES = (1, 2, 3, 4, 8)

Write = tuple[int, int, int]
writes = st.lists(
    st.tuples(
        st.one_of(st.sampled_from(EDGES), st.integers(0, 0x1A0), st.integers(0, CONFIG_BYTES - 1)),
        st.sampled_from(SIZES),
        st.integers(0, (1 << 64) - 1),
    ),
    max_size=20,
)


class Oracle:
    """Bits by offset; a write looks up the row of each bit it touches."""

    def __init__(self, config: bytes, rows: tuple[Register, ...]) -> None:
        self.bits = [config[bit // 8] >> bit % 8 & 1 for bit in range(8 * len(config))]
        self.rows = {at: row for row in rows for at in range(row.offset, row.offset + row.size)}

    def access(self, bit: int) -> Access:
        row = self.rows.get(bit // 8)
        return row.access(bit - 8 * row.offset) if row else Access.RO

    def write(self, offset: int, size: int, value: int) -> None:
        for number in range(8 * size):
            bit = 8 * offset + number
            written = value >> number & 1
            match self.access(bit):
                case Access.RW:
                    self.bits[bit] = written
                case Access.W1C if written:
                    self.bits[bit] = 0

    def read(self, offset: int, size: int) -> int:
        bits = self.bits[8 * offset : 8 * (offset + size)]
        return sum(bit << number for number, bit in enumerate(bits))


@pytest.mark.parametrize("name", PROFILES)
@given(status=st.integers(0, 0xFFFF), accesses=writes)
def test_every_access_does_what_the_rows_say(name: str, status: int, accesses: list[Write]) -> None:
    profile = PROFILES[name]
    space = ConfigSpace(RegisterFile(profile.config, profile.bars))
    space.store(0x06, 2, status)
    oracle = Oracle(space.image(), registers_of(profile.config, profile.bars))
    for offset, size, value in accesses:
        if offset + size > CONFIG_BYTES:
            continue
        space.write(offset, size, value)
        oracle.write(offset, size, value)
        assert space.read(offset, size) == oracle.read(offset, size)
    assert space.image() == bytes(oracle.read(at, 1) for at in range(CONFIG_BYTES))


def space_with(bar: Bar) -> ConfigSpace:
    return ConfigSpace(RegisterFile(bytes(CONFIG_BYTES), (bar,)))


def test_sizing_a_bar_needs_no_code_of_its_own() -> None:
    space = space_with(Bar(2, 1 << 33, 64, prefetchable=False))
    space.write(0x18, 4, 0xFFFF_FFFF)
    space.write(0x1C, 4, 0xFFFF_FFFF)
    assert (space.read(0x18, 4), space.read(0x1C, 4)) == (0, 0xFFFF_FFFE)


@pytest.mark.wire_note("7.5b")
def test_bar_writes_are_ignored_while_decoding() -> None:
    space = space_with(Bar(0, 4096, 32, prefetchable=False))
    space.write(0x10, 4, 0xFE00_0000)
    space.ignore_bar_writes()
    space.write(0x10, 4, 0xFFFF_FFFF)
    space.write(0x0E, 4, 0xFFFF_FFFF)  # straddles into the BAR
    assert space.read(0x10, 4) == 0xFE00_0000
    space.accept_bar_writes()
    space.write(0x10, 4, 0)
    assert space.read(0x10, 4) == 0


def test_writing_a_neighbour_clears_no_status_bit() -> None:
    space = space_with(Bar(0, 4096, 32, prefetchable=False))
    space.store(0x06, 2, 0x2000)
    space.write(0x04, 2, 0xFFFF)
    assert space.read(0x06, 2) == 0x2000
    space.write(0x04, 4, 0x2000_0000)
    assert space.read(0x06, 2) == 0


@pytest.mark.parametrize(("offset", "size"), [(-1, 1), (0xFFD, 4), (4096, 1), (0, 0), (0, 9)])
def test_an_access_outside_is_refused(offset: int, size: int) -> None:
    space = space_with(Bar(0, 4096, 32, prefetchable=False))
    with pytest.raises(LocalProtocolError):
        space.read(offset, size)
    with pytest.raises(LocalProtocolError):
        space.write(offset, size, 0)


def test_reset_brings_the_profiles_image_back() -> None:
    space = space_with(Bar(0, 4096, 32, prefetchable=False))
    space.write(0x10, 4, 0xFE00_0000)
    space.ignore_bar_writes()
    space.reset()
    space.write(0x10, 4, 0xFD00_0000)
    assert space.read(0x10, 4) == 0xFD00_0000
