# SPDX-License-Identifier: MIT
"""BAR arithmetic: sizes, sums and the order in which BARs are given addresses. Pure functions.

Knows neither the host nor the PCI core; the numbers come from the resource query (``probed_bar``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from guest.kernel.faults import OutOfBounds
from guest.kernel.pages import PAGE_BYTES
from protocol.pci_regs import PCI_BASE_ADDRESS_MEM_TYPE_64, PCI_BASE_ADDRESS_SPACE_IO

PCI_BASE_ADDRESS_MEM_MASK = ~0x0F & 0xFFFF_FFFF_FFFF_FFFF
U64 = 0xFFFF_FFFF_FFFF_FFFF
KINDS_KEPT = 256  # kinds of functions whose BARs are remembered
BAR_LOW_BITS_KEPT = 0xFFFF_FF00  # what prepopulate_bars() writes of the low word


class Bar(NamedTuple):
    """One memory BAR as the resource query describes it: its number, 64-bit or not, whole pages."""

    number: int
    high: bool
    size_bytes: int


def get_bar_size(bar_val: int) -> int:
    """Address space of a BAR from its read-back of all ones, in bytes, rounded up to a page.

    Rounded because the hypervisor maps whole pages (get_bar_size() of the driver).
    """
    size_bytes = (1 + (~(bar_val & PCI_BASE_ADDRESS_MEM_MASK) & U64)) & U64
    return (size_bytes + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1) & U64


def highest_power(size_bytes: int) -> int:
    """The highest power of two in a sum of sizes; it aligns the bridge window."""
    return 1 << (size_bytes.bit_length() - 1)


def upper_half(probed_bar: Sequence[int], index: int) -> int:
    """The word above a 64-bit BAR's. A host that calls BAR 5 one makes C read past the array."""
    if index >= len(probed_bar):
        raise OutOfBounds(f"probed_bar[{index}] of {len(probed_bar)}")
    return probed_bar[index]


def memory_bars(probed_bar: Sequence[int]) -> tuple[Bar, ...]:
    """The BARs that take space, ascending; a 64-bit one takes two words."""
    return _memory_bars(tuple(probed_bar))


@lru_cache(maxsize=KINDS_KEPT)
def _memory_bars(probed_bar: tuple[int, ...]) -> tuple[Bar, ...]:
    return tuple(_each_memory_bar(probed_bar))


def _each_memory_bar(probed_bar: tuple[int, ...]) -> Iterator[Bar]:
    index = 0
    while index < len(probed_bar):
        low = probed_bar[index]
        if low == 0:
            index += 1
        elif low & PCI_BASE_ADDRESS_MEM_TYPE_64:
            wide = low | upper_half(probed_bar, index + 1) << 32
            yield Bar(index, True, get_bar_size(wide))
            index += 2
        else:
            yield Bar(index, False, get_bar_size(low | 0xFFFF_FFFF << 32))
            index += 1


def has_io_bar(probed_bar: Sequence[int]) -> bool:
    """True if a BAR is an I/O BAR, which Hyper-V never offers; it is taken for memory then."""
    return any(
        probed_bar[bar.number] & PCI_BASE_ADDRESS_SPACE_IO for bar in memory_bars(probed_bar)
    )


def total_space(bars_of_children: Iterable[Sequence[int]]) -> tuple[int, int]:
    """(low, high) bytes that all children need. BARs are powers of two, so sums suffice.

    Nobody looks whether they overflow: sums are of 64 bits.
    """
    low = high = 0
    for probed_bar in bars_of_children:
        for bar in memory_bars(probed_bar):
            if bar.high:
                high += bar.size_bytes
            else:
                low += bar.size_bytes
    return low & U64, high & U64


class BarAddress(NamedTuple):
    """Where one BAR of the ``child``-th child goes; ``high`` BARs are written as two words."""

    child: int
    bar: Bar
    address: int


def place_bars(
    children: Sequence[Sequence[int]], low: tuple[int, int], high: tuple[int, int]
) -> list[BarAddress]:
    """Addresses for all BARs, in the order in which prepopulate_bars() writes them.

    ``low`` and ``high`` are (base address, bytes in all) of the two windows. The driver halves both
    sizes step by step from the highest power of two, and at each step serves the BARs of just that
    size, child by child: so large BARs come first and everything is aligned. A BAR larger than its
    window's first step, or no power of two, is never served.
    """
    steps = []
    for child, probed_bar in enumerate(children):
        for bar in memory_bars(probed_bar):
            total = high[1] if bar.high else low[1]
            step = total.bit_length() - bar.size_bytes.bit_length()
            if total and step >= 0 and bar.size_bytes.bit_count() == 1:
                steps.append((step, child, bar))
    steps.sort()
    base = {False: low[0], True: high[0]}
    placed = []
    for _, child, bar in steps:
        placed.append(BarAddress(child, bar, base[bar.high]))
        base[bar.high] += bar.size_bytes
    return placed
