# SPDX-License-Identifier: MIT
"""The base registers of the function behind a host under test, as its driver works with them.

Goes by what configuration space says and by nothing that only we know of the device. What is in
the way of a case raises NotOffered. Knows no case.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from protocol.pci_regs import (
    BAR_COUNT,
    PCI_BASE_ADDRESS_0,
    PCI_BASE_ADDRESS_MEM_TYPE_64,
    PCI_BASE_ADDRESS_SPACE_IO,
    PCI_COMMAND,
    PCI_COMMAND_MASTER,
    PCI_COMMAND_MEMORY,
)
from sim.conformance.case import NotOffered
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import ONES, HostBench

WIDE_BASE: Final = 0x20_0000_0000  # where a 64-bit BAR is put
NARROW_BASE: Final = 0xE000_0000  # and a 32-bit one
BAR_FLAG_BITS: Final = 0xF
BEGINNING: Final = 0x40  # bytes of a BAR that are looked at


class FoundBar(NamedTuple):
    """A memory BAR: its register's number, whether it has two, its size, where it is put."""

    number: int
    wide: bool
    size_bytes: int
    base: int

    @property
    def register(self) -> int:
        """Where its (lower) register lies."""
        return PCI_BASE_ADDRESS_0 + 4 * self.number


def probed(host: HostBench) -> tuple[int, ...]:
    """What the six registers read back after all ones, decoding off; zeros are left there."""
    set_command(host, 0)
    found = []
    for index in range(BAR_COUNT):
        offset = PCI_BASE_ADDRESS_0 + 4 * index
        host.write_config(offset, ONES)
        found.append(host.read_config(offset))
        host.write_config(offset, 0)
    return tuple(found)


def first_bar(host: HostBench) -> FoundBar:
    """The first memory BAR. Raises NotOffered for a function without one."""
    words = (*probed(host), 0)
    for index, word in enumerate(words[:-1]):
        if not word & ~BAR_FLAG_BITS or word == ONES or word & PCI_BASE_ADDRESS_SPACE_IO:
            continue
        wide = bool(word & PCI_BASE_ADDRESS_MEM_TYPE_64)
        mask = word & ~BAR_FLAG_BITS | (words[index + 1] if wide else ONES) << 32
        size = (1 << 64) - mask
        return FoundBar(index, wide, size, WIDE_BASE if wide else NARROW_BASE)
    raise NotOffered("the function shows no memory BAR")


def program(host: HostBench, bar: FoundBar, base: int) -> None:
    """Write an address into a BAR."""
    host.write_config(bar.register, base & ONES)
    if bar.wide:
        host.write_config(bar.register + 4, base >> 32)


def address_in(host: HostBench, bar: FoundBar) -> int:
    """The address that a BAR reads back."""
    low = host.read_config(bar.register) & ~BAR_FLAG_BITS
    return low | host.read_config(bar.register + 4) << 32 if bar.wide else low


def set_command(host: HostBench, bits: int) -> None:
    """Write the command register."""
    host.write_config(PCI_COMMAND, bits, 2)


def command(host: HostBench) -> int:
    """Read it."""
    return host.read_config(PCI_COMMAND, 2)


def started(host: HostBench) -> FoundBar:
    """From assigned resources to a function that decodes and may interrupt; its first BAR."""
    bar = first_bar(host)
    program(host, bar, bar.base)
    set_command(host, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)
    with reaching("a programmed BAR"):
        expect("the BAR", address_in(host, bar), bar.base)
    return bar


def answers(host: HostBench, bar: FoundBar) -> bool:
    """Whether the BAR's memory answers where it was put: some of it is not all ones."""
    beginning = range(bar.base, bar.base + min(bar.size_bytes, BEGINNING), 4)
    return any(host.host.mmio_read(at, 4) != ONES for at in beginning)


def expect_answer(host: HostBench, bar: FoundBar) -> None:
    """Raise Nonconforming unless it does."""
    expect("whether the BAR answers where it was put", answers(host, bar), True)
