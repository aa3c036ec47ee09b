# SPDX-License-Identifier: MIT
"""Configuration registers that never reach the host, as rows. Pure; knows no window and no lock.

Only accesses that lie wholly inside an area count: across its end the host is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from guest.pci_hyperv.device import HvPciDevDescription
from protocol.pci_regs import (
    PCI_CACHE_LINE_SIZE,
    PCI_CAPABILITY_LIST,
    PCI_COMMAND,
    PCI_INTERRUPT_LINE,
    PCI_INTERRUPT_PIN,
    PCI_REVISION_ID,
    PCI_ROM_ADDRESS,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
)

PCI_MIN_GNT = 0x3E  # the register behind the interrupt pin


class EmulatedArea(NamedTuple):
    """Registers answered from the relations entry: bytes ``start`` to before ``end``."""

    start: int
    end: int
    image: Callable[[HvPciDevDescription], int]


def _ids(desc: HvPciDevDescription) -> int:
    return desc.v_id | desc.d_id << 16


def _class(desc: HvPciDevDescription) -> int:
    return desc.rev | desc.prog_intf << 8 | desc.subclass << 16 | desc.base_class << 24


def _subsystem(desc: HvPciDevDescription) -> int:
    return desc.subsystem_id


def _zero(_desc: HvPciDevDescription) -> int:
    return 0


# No ROM BARs, and no interrupt line or pin: only message-signalled interrupts exist here. Line and
# pin are areas of their own, so a two-byte read of both goes to the host.
EMULATED_READS = (
    EmulatedArea(PCI_VENDOR_ID, PCI_COMMAND, _ids),
    EmulatedArea(PCI_REVISION_ID, PCI_CACHE_LINE_SIZE, _class),
    EmulatedArea(PCI_SUBSYSTEM_VENDOR_ID, PCI_ROM_ADDRESS, _subsystem),
    EmulatedArea(PCI_ROM_ADDRESS, PCI_CAPABILITY_LIST, _zero),
    EmulatedArea(PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN, _zero),
    EmulatedArea(PCI_INTERRUPT_PIN, PCI_MIN_GNT, _zero),
)

EmulatedRead = tuple[Callable[[HvPciDevDescription], int], int, int]  # image, shift, mask


def emulated_accesses(areas: Iterable[EmulatedArea]) -> dict[int, EmulatedRead]:
    """Every access that lies wholly inside an area, so that the hot path is one look-up."""
    return {
        where << 3 | size: (area.image, 8 * (where - area.start), (1 << 8 * size) - 1)
        for area in areas
        for size in (1, 2, 4)
        for where in range(area.start, area.end - size + 1)
    }
