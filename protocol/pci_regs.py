# SPDX-License-Identifier: MIT
"""Configuration-space registers as rows: one row says what a read shows and what a write does.

Knows registers, not devices: values, BAR addresses and side effects belong to ``host``; who may
read them to ``guest``. Capability rows are in ``protocol.pci_caps``. Names and numbers are those of
Linux's ``include/uapi/linux/pci_regs.h``; access classes are the PCI and PCIe base specifications'.
"""

from enum import Enum
from typing import NamedTuple

import msgspec

CONFIG_BYTES = 4096  # PCI Express extended configuration space
CONVENTIONAL_BYTES = 256  # what an access without ECAM reaches
BAR_COUNT = 6  # header type 0

PCI_VENDOR_ID = 0x00
PCI_DEVICE_ID = 0x02
PCI_COMMAND = 0x04
PCI_COMMAND_IO = 0x001
PCI_COMMAND_MEMORY = 0x002
PCI_COMMAND_MASTER = 0x004
PCI_COMMAND_INTX_DISABLE = 0x400
PCI_STATUS = 0x06
PCI_STATUS_INTERRUPT = 0x0008
PCI_STATUS_CAP_LIST = 0x0010
PCI_REVISION_ID = 0x08
PCI_CLASS_PROG = 0x09
PCI_CLASS_DEVICE = 0x0A
PCI_CACHE_LINE_SIZE = 0x0C
PCI_HEADER_TYPE = 0x0E
PCI_HEADER_TYPE_MASK = 0x7F
PCI_HEADER_TYPE_MFD = 0x80
PCI_BASE_ADDRESS_0 = 0x10
PCI_BASE_ADDRESS_SPACE_IO = 0x01
PCI_BASE_ADDRESS_MEM_TYPE_MASK = 0x06
PCI_BASE_ADDRESS_MEM_TYPE_64 = 0x04
PCI_BASE_ADDRESS_MEM_PREFETCH = 0x08
PCI_BASE_ADDRESS_FLAGS = 0x0F
PCI_SUBSYSTEM_VENDOR_ID = 0x2C
PCI_SUBSYSTEM_ID = 0x2E
PCI_ROM_ADDRESS = 0x30
PCI_CAPABILITY_LIST = 0x34
PCI_INTERRUPT_LINE = 0x3C
PCI_INTERRUPT_PIN = 0x3D
PCI_STD_HEADER_SIZEOF = 0x40


class Access(Enum):
    """What a write does to one bit; a read shows the stored bit in every class."""

    RO = "read-only"
    RW = "read-write"
    W1C = "write one to clear"


class Register(NamedTuple):
    """One register: offset and size in bytes, and the bits software may change.

    ``rw`` and ``w1c`` are bit masks of the register; a bit in neither is read-only. A row's offset
    is absolute in the header and relative to the capability's start in ``protocol.pci_caps``.
    """

    name: str
    offset: int
    size: int
    rw: int = 0
    w1c: int = 0

    def access(self, bit: int) -> Access:
        """The class of one bit, 0 being the least significant."""
        if self.rw >> bit & 1:
            return Access.RW
        return Access.W1C if self.w1c >> bit & 1 else Access.RO

    def at(self, base: int) -> "Register":
        """The same row moved by ``base`` bytes."""
        return Register(self.name, self.offset + base, self.size, self.rw, self.w1c)


class Bar(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A memory BAR: register index 0..5, size in bytes (a power of two), 32 or 64 address bits.

    A 64-bit BAR takes the next register too. There are no I/O BARs: Hyper-V assigns none.
    """

    index: int
    size_bytes: int
    bits: int
    prefetchable: bool

    @property
    def flags(self) -> int:
        """The read-only low bits of the register."""
        wide = PCI_BASE_ADDRESS_MEM_TYPE_64 if self.bits == 64 else 0
        return wide | (PCI_BASE_ADDRESS_MEM_PREFETCH if self.prefetchable else 0)

    @property
    def offset(self) -> int:
        """Where its (low) register lies in configuration space."""
        return PCI_BASE_ADDRESS_0 + 4 * self.index


# I/O enable is hard-wired to zero, as in any function without an I/O BAR. Memory, bus master,
# parity, SERR and INTx disable are the bits a PCIe endpoint implements.
HEADER: tuple[Register, ...] = (
    Register("vendor_id", 0x00, 2),
    Register("device_id", 0x02, 2),
    Register("command", 0x04, 2, rw=0x0546),
    Register("status", 0x06, 2, w1c=0xF900),
    Register("revision_id", 0x08, 1),
    Register("prog_if", 0x09, 1),
    Register("subclass", 0x0A, 1),
    Register("base_class", 0x0B, 1),
    Register("cache_line_size", 0x0C, 1, rw=0xFF),
    Register("latency_timer", 0x0D, 1),  # PCIe: hard-wired to zero
    Register("header_type", 0x0E, 1),
    Register("bist", 0x0F, 1),
    Register("cardbus_cis", 0x28, 4),
    Register("subsystem_vendor_id", 0x2C, 2),
    Register("subsystem_id", 0x2E, 2),
    Register("expansion_rom", 0x30, 4),  # Model: an assigned function shows no expansion ROM
    Register("capabilities_pointer", 0x34, 1),
    Register("interrupt_line", 0x3C, 1, rw=0xFF),
    Register("interrupt_pin", 0x3D, 1),
    Register("min_gnt", 0x3E, 1),
    Register("max_lat", 0x3F, 1),
)


def bar_registers(bar: Bar) -> tuple[Register, ...]:
    """The BAR's rows. Sizing needs no code: the address bits below the size are read-only zeros."""
    address = (1 << bar.bits) - bar.size_bytes
    low = Register(f"bar{bar.index}", bar.offset, 4, rw=address & 0xFFFF_FFF0)
    if bar.bits == 32:
        return (low,)
    return (low, Register(f"bar{bar.index}_high", bar.offset + 4, 4, rw=address >> 32))


def probed_bars(bars: tuple[Bar, ...]) -> tuple[int, ...]:
    """Six dwords: what each BAR register reads after all-ones were written to it.

    A register that no memory BAR uses reads 0. This is what the resource requirements carry.
    """
    probed = [0] * BAR_COUNT
    for bar in bars:
        for register in bar_registers(bar):
            probed[(register.offset - PCI_BASE_ADDRESS_0) // 4] = register.rw
        probed[bar.index] |= bar.flags
    return tuple(probed)
