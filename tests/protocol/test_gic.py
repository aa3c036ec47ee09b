# SPDX-License-Identifier: MIT
"""The distributor's registers and affinities: numbers that have to fit each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.gic import (
    BANK_BYTES,
    GICD_BYTES,
    GICD_ICENABLER,
    GICD_ISENABLER,
    SPI_FIRST,
    SPI_LAST,
    affinity_of,
    bit_of,
    route_of,
    vp_of,
    word_of,
)
from protocol.ids import VpIndex


@given(st.integers(0, 4_095))
def test_a_processor_is_found_by_its_affinity(vp: int) -> None:
    assert vp_of(affinity_of(VpIndex(vp))) == vp


def test_a_cluster_has_sixteen_processors() -> None:
    assert [affinity_of(VpIndex(vp)) for vp in (0, 15, 16, 17, 4_095)] == [
        *(0x00, 0x0F, 0x100, 0x101, 0xFF0F)
    ]


@pytest.mark.parametrize("intid", [SPI_FIRST, 64, 255, 256, SPI_LAST])
def test_an_interrupt_has_one_bit_and_one_route(intid: int) -> None:
    offset = word_of(GICD_ISENABLER, intid)
    assert GICD_ISENABLER <= offset < GICD_ISENABLER + BANK_BYTES
    assert (offset - GICD_ISENABLER) * 8 + bit_of(intid).bit_length() - 1 == intid
    assert word_of(GICD_ICENABLER, intid) == offset + BANK_BYTES
    assert route_of(intid) + 8 <= GICD_BYTES
