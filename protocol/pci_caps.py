# SPDX-License-Identifier: MIT
"""Capabilities as rows, the walk along both chains, and the masks that follow from them.

Knows where a capability lies and which of its bits software may change; knows no device and keeps
no state. ``register_masks`` gives plain bytes, so that every reader of the rows (the host's numpy
configuration space, a C register file) derives the same thing.
"""

from collections.abc import Iterable
from typing import NamedTuple

from protocol.errors import RemoteProtocolError
from protocol.pci_cap_rows import EXTENDED, STANDARD, Layout, msi_layout
from protocol.pci_regs import (
    BAR_COUNT,
    CONFIG_BYTES,
    CONVENTIONAL_BYTES,
    HEADER,
    PCI_BASE_ADDRESS_0,
    PCI_CAPABILITY_LIST,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
    PCI_STD_HEADER_SIZEOF,
    Bar,
    Register,
    bar_registers,
)

PCI_CAP_ID_PM = 0x01
PCI_CAP_ID_MSI = 0x05
PCI_CAP_ID_EXP = 0x10
PCI_CAP_ID_MSIX = 0x11
PCI_CAP_ID_EA = 0x14
PCI_EXT_CAP_ID_SRIOV = 0x10
PCI_EXT_CAP_ID_REBAR = 0x15

# Each capability takes at least its 4-byte header, so no sound chain is longer.
STANDARD_LIMIT = (CONVENTIONAL_BYTES - PCI_STD_HEADER_SIZEOF) // 4
EXTENDED_LIMIT = (CONFIG_BYTES - CONVENTIONAL_BYTES) // 4


class CapabilityChainError(RemoteProtocolError):
    """A capability chain that cannot be walked; names the offset at which it breaks."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"capability chain at offset {offset:#x}: {reason}")
        self.offset = offset
        self.reason = reason


class Capability(NamedTuple):
    """A capability found in configuration space: where it starts, its id, its version.

    ``version`` is 0 for one of the conventional chain, whose header has no such field.
    """

    at: int
    id: int
    version: int

    @property
    def extended(self) -> bool:
        """Whether it lies in the extended space, where ids have their own numbering."""
        return self.at >= CONVENTIONAL_BYTES


def _word(config: bytes, offset: int) -> int:
    return int.from_bytes(config[offset : offset + 2], "little")


def _dword(config: bytes, offset: int) -> int:
    return int.from_bytes(config[offset : offset + 4], "little")


def standard_capabilities(config: bytes) -> tuple[Capability, ...]:
    """The conventional chain in its own order; empty when the status register announces none.

    Raises ``CapabilityChainError`` for a chain that loops or points into the header.
    """
    if not _word(config, PCI_STATUS) & PCI_STATUS_CAP_LIST:
        return ()
    found: list[Capability] = []
    at = config[PCI_CAPABILITY_LIST] & 0xFC  # the low two bits are reserved
    while at:
        if at < PCI_STD_HEADER_SIZEOF:
            raise CapabilityChainError(at, "points into the header")
        if len(found) == STANDARD_LIMIT or any(at == other.at for other in found):
            raise CapabilityChainError(at, "loops")
        found.append(Capability(at, config[at], 0))
        at = config[at + 1] & 0xFC
    return tuple(found)


def extended_capabilities(config: bytes) -> tuple[Capability, ...]:
    """The extended chain in its own order; empty when the dword at 0x100 is zero or all ones.

    Raises ``CapabilityChainError`` for a chain that loops or leaves the extended space.
    """
    if _dword(config, CONVENTIONAL_BYTES) in {0, 0xFFFF_FFFF}:
        return ()
    found: list[Capability] = []
    seen: set[int] = set()
    at = CONVENTIONAL_BYTES
    while at:
        if at < CONVENTIONAL_BYTES:
            raise CapabilityChainError(at, "leaves the extended space")
        if at in seen:
            raise CapabilityChainError(at, "loops")
        header = _dword(config, at)
        seen.add(at)
        found.append(Capability(at, header & 0xFFFF, header >> 16 & 0xF))
        at = header >> 20 & 0xFFC
    return tuple(found)


def capabilities(config: bytes) -> tuple[Capability, ...]:
    """Both chains, the conventional one first."""
    return standard_capabilities(config) + extended_capabilities(config)


def find_capability(config: bytes, cap_id: int) -> int | None:
    """Offset of the first conventional capability with this id, or None."""
    return next((cap.at for cap in standard_capabilities(config) if cap.id == cap_id), None)


def find_extended_capability(config: bytes, cap_id: int) -> int | None:
    """Offset of the first extended capability with this id, or None."""
    return next((cap.at for cap in extended_capabilities(config) if cap.id == cap_id), None)


def layout_of(config: bytes, capability: Capability) -> Layout | None:
    """The capability's rows; None for one whose registers we take as wholly read-only."""
    if capability.extended:
        return EXTENDED.get(capability.id)
    if capability.id == PCI_CAP_ID_MSI:
        return msi_layout(_word(config, capability.at + 2))
    return STANDARD.get(capability.id)


def registers_of(config: bytes, bars: Iterable[Bar]) -> tuple[Register, ...]:
    """Every row of this configuration space with absolute offsets; what is in no row is read-only.

    A row that would reach into the next capability or beyond its space is left out: such a
    capability is shorter than its kind's longest form. Raises ``CapabilityChainError``.
    """
    rows = list(HEADER)
    for bar in bars:
        rows.extend(bar_registers(bar))
    found = capabilities(config)
    starts = sorted({cap.at for cap in found} | {CONVENTIONAL_BYTES, CONFIG_BYTES})
    for capability in found:
        layout = layout_of(config, capability)
        if layout is None:
            continue
        limit = next(start for start in starts if start > capability.at)
        placed = (register.at(capability.at) for register in layout.registers)
        rows.extend(row for row in placed if row.offset + row.size <= limit)
    return tuple(rows)


class RegisterMasks(NamedTuple):
    """Three images of ``CONFIG_BYTES``: a set bit may be written, or is cleared by writing one.

    ``writable_decoding`` holds while memory decoding is on: then BAR writes are ignored
    (pci-hyperv's ``prepopulate_bars`` relies on a host that does so).
    """

    writable: bytes
    writable_decoding: bytes
    w1c: bytes


def register_masks(config: bytes, bars: tuple[Bar, ...]) -> RegisterMasks:
    """The masks of a configuration space; raises ``CapabilityChainError``."""
    writable, w1c = bytearray(CONFIG_BYTES), bytearray(CONFIG_BYTES)
    for row in registers_of(config, bars):
        end = row.offset + row.size
        writable[row.offset : end] = row.rw.to_bytes(row.size, "little")
        w1c[row.offset : end] = row.w1c.to_bytes(row.size, "little")
    decoding = bytearray(writable)
    decoding[PCI_BASE_ADDRESS_0 : PCI_BASE_ADDRESS_0 + 4 * BAR_COUNT] = bytes(4 * BAR_COUNT)
    return RegisterMasks(bytes(writable), bytes(decoding), bytes(w1c))
