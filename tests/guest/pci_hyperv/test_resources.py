# SPDX-License-Identifier: MIT
"""BAR sizes, their sums, and where prepopulate_bars() puts them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.faults import OutOfBounds
from guest.pci_hyperv.resources import (
    Bar,
    get_bar_size,
    has_io_bar,
    highest_power,
    memory_bars,
    place_bars,
    total_space,
)

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PREFETCHABLE = 0x8
MEM_64 = 0x4


def bar32(size_bytes: int) -> list[int]:
    """What a 32-bit BAR of that size reads back after all ones."""
    return [-size_bytes & 0xFFFF_FFFF]


def bar64(size_bytes: int) -> list[int]:
    """The same for a 64-bit prefetchable BAR, in two words."""
    probed = -size_bytes & 0xFFFF_FFFF_FFFF_FFFF
    return [probed & 0xFFFF_FFFF | MEM_64 | PREFETCHABLE, probed >> 32]


def six(*words: list[int]) -> list[int]:
    """Six probed BARs."""
    flat = [word for group in words for word in group]
    return flat + [0] * (6 - len(flat))


def as_the_kernel_does(
    children: Sequence[Sequence[int]], low: tuple[int, int], high: tuple[int, int]
) -> list[tuple[int, int, int]]:
    """The kernel's own algorithm, step by step: halve both sizes, walk all BARs at each step."""
    low_base, low_size = low[0], highest_power(low[1]) if low[1] else 0
    high_base, high_size = high[0], highest_power(high[1]) if high[1] else 0
    written = []
    while True:
        for child, probed_bar in enumerate(children):
            for bar in memory_bars(probed_bar):
                if bar.high and bar.size_bytes == high_size:
                    written.append((child, bar.number, high_base))
                    high_base += high_size
                elif not bar.high and bar.size_bytes == low_size:
                    written.append((child, bar.number, low_base))
                    low_base += low_size
        high_size >>= 1
        low_size >>= 1
        if not high_size and not low_size:
            return written


def test_a_bar_smaller_than_a_page_takes_a_page() -> None:
    assert get_bar_size(0xFFFF_FFFF_FFFF_FF00) == 4 * KIB


def test_flag_bits_are_no_part_of_a_bar_size() -> None:
    assert get_bar_size(-16 * KIB & 0xFFFF_FFFF_FFFF_FFFF | MEM_64 | PREFETCHABLE) == 16 * KIB


def test_a_64_bit_bar_takes_two_words() -> None:
    probed = six(bar64(128 * GIB), bar32(MIB), bar64(32 * MIB))
    assert list(memory_bars(probed)) == [
        Bar(0, True, 128 * GIB),
        Bar(2, False, MIB),
        Bar(3, True, 32 * MIB),
    ]


def test_space_is_counted_apart_below_and_above_4_gib() -> None:
    gpu = six(bar32(16 * MIB), bar64(128 * GIB), bar64(32 * MIB))
    nvme = six(bar64(16 * KIB))
    assert total_space([gpu, nvme]) == (16 * MIB, 128 * GIB + 32 * MIB + 16 * KIB)


def test_a_function_without_bars_needs_no_space() -> None:
    assert total_space([six()]) == (0, 0)


def test_sizes_that_overflow_sum_up_to_what_is_left_of_64_bits() -> None:
    half = (0x4, 1 << 31)  # of the address space
    assert total_space([(*half, *half, 0, 0)]) == (0, 0)
    assert total_space([(*half, *half, *half)]) == (0, 1 << 63)


def test_a_64_bit_bar_in_the_last_place_reads_past_the_array() -> None:
    with pytest.raises(OutOfBounds):
        total_space([[0, 0, 0, 0, 0, 0xFFFF_F004]])


def test_an_io_bar_is_noticed_and_an_upper_half_is_none() -> None:
    assert has_io_bar([0xFFFF_FF01, 0, 0, 0, 0, 0])
    assert not has_io_bar(six(bar64(16 * KIB)))


def test_large_bars_come_first_and_all_are_aligned() -> None:
    gpu = six(bar32(16 * MIB), bar64(32 * MIB), bar64(128 * GIB))
    placed = place_bars([gpu], (0xF000_0000, 16 * MIB), (1 << 40, 128 * GIB + 32 * MIB))
    # The low window's only size is served at the first step, together with the largest high one.
    assert [(p.bar.number, p.address) for p in placed] == [
        (0, 0xF000_0000),
        (3, 1 << 40),
        (1, (1 << 40) + 128 * GIB),
    ]


def test_a_bar_that_was_not_counted_gets_no_address() -> None:
    assert place_bars([six(bar64(MIB))], (0, 0), (0, 0)) == []


sizes = st.integers(8, 40).map(lambda power: 1 << power)
groups = st.one_of(
    sizes.map(bar64),
    sizes.filter(lambda size: size < 4 * GIB).map(bar32),
    st.just([0]),
)
functions = st.lists(groups, max_size=3).map(lambda found: six(*found))


@given(st.lists(functions, min_size=1, max_size=4))
def test_bars_are_written_in_the_kernels_order_at_the_kernels_addresses(
    children: list[list[int]],
) -> None:
    low_total, high_total = total_space(children)
    low, high = (0x8000_0000, low_total), (1 << 44, high_total)
    placed = place_bars(children, low, high)
    assert [(p.child, p.bar.number, p.address) for p in placed] == as_the_kernel_does(
        children, low, high
    )
