# SPDX-License-Identifier: MIT
"""The Generic Interrupt Controller of arm64 (GICv3) as a guest sees it: registers and numbers.

From the GIC architecture specification (Arm IHI 0069), as far as shared peripheral interrupts
(SPIs) go. Knows no processor, no device and no state.
"""

from __future__ import annotations

from typing import Final

from protocol.ids import VpIndex

# OpenVMM's default, which it calls Hyper-V's own; a guest reads it from ACPI.
GICD_BASE: Final = 0xFFFF_0000
GICD_BYTES: Final = 0x1_0000

GICD_SETSPI_NSR: Final = 0x0040  # what is written here is an SPI that becomes pending
# Byte offsets into the distributor. Of the first six a bit is an interrupt, 32 to a word; the
# registers of a pair set and clear the same state.
GICD_ISENABLER: Final = 0x0100
GICD_ICENABLER: Final = 0x0180
GICD_ISPENDR: Final = 0x0200
GICD_ICPENDR: Final = 0x0280
GICD_ISACTIVER: Final = 0x0300
GICD_ICACTIVER: Final = 0x0380
GICD_IROUTER: Final = 0x6000  # 64 bits an interrupt: the affinity that it goes to

INTIDS_PER_WORD: Final = 32
BANK_BYTES: Final = 0x80  # of each of the six, room for 1,024 interrupts
ROUTE_BYTES: Final = 8

SPI_FIRST: Final = 32
SPI_LAST: Final = 1019
SPURIOUS_INTID: Final = 1023  # ICC_IAR1_EL1: nothing is waiting; 1020 to 1023 are no interrupts


def affinity_of(vp: VpIndex) -> int:
    """The affinity (Aff2.Aff1.Aff0, as in MPIDR_EL1) of a virtual processor.

    Model: no source says how Hyper-V numbers them. Aff0 holds four bits, since an inter-processor
    interrupt can name 16 processors of one cluster.
    """
    return vp & 0xF | (vp >> 4 & 0xFF) << 8 | vp >> 12 << 16


def vp_of(affinity: int) -> VpIndex:
    """The virtual processor that has this affinity; undoes :func:`affinity_of`."""
    return VpIndex(affinity & 0xF | (affinity >> 8 & 0xFF) << 4 | affinity >> 16 << 12)


def word_of(register: int, intid: int) -> int:
    """Byte offset of the word that holds the interrupt's bit, for one of the first six."""
    return register + intid // INTIDS_PER_WORD * 4


def bit_of(intid: int) -> int:
    """The interrupt's bit in that word."""
    return 1 << intid % INTIDS_PER_WORD


def route_of(intid: int) -> int:
    """Byte offset of the interrupt's GICD_IROUTER."""
    return GICD_IROUTER + intid * ROUTE_BYTES
