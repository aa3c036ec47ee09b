# SPDX-License-Identifier: MIT
"""Masks and sparse sets of virtual processors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.vp_sets import vps_of_banks, vps_of_mask
from protocol.ids import VpIndex
from tests.host.fakes import banks_of_vps

some_vps = st.sets(st.integers(0, 4095), max_size=50).map(
    lambda vps: [VpIndex(vp) for vp in sorted(vps)]
)


def test_a_mask_names_its_bits() -> None:
    assert vps_of_mask(0) == ()
    assert vps_of_mask(1 << 63 | 0b101) == (0, 2, 63)


def test_banks_that_are_left_out_shift_the_others() -> None:
    assert vps_of_banks(0b1000_0010, (0b11, 1 << 63)) == (64, 65, 7 * 64 + 63)


def test_a_bank_may_be_present_and_empty() -> None:
    # cpumask_to_vpset() flags every bank up to the last one it needs.
    assert vps_of_banks(0b111, (1, 0, 2)) == (0, 129)


@pytest.mark.parametrize("banks", [(), (1,), (1, 2, 3)])
def test_the_number_of_banks_is_what_the_mask_says(banks: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="2 are flagged"):
        vps_of_banks(0b101, banks)


@given(some_vps)
def test_a_set_comes_back_from_its_banks(vps: list[VpIndex]) -> None:
    assert list(vps_of_banks(*banks_of_vps(vps))) == vps
