# SPDX-License-Identifier: MIT
"""What the capabilities say of the BARs: Resizable BAR and Enhanced Allocation.

Knows those two capabilities' bytes; which source of a size wins is ``captured_bars``'s.
"""

from typing import NamedTuple

from protocol.pci_caps import (
    PCI_CAP_ID_EA,
    PCI_EXT_CAP_ID_REBAR,
    find_capability,
    find_extended_capability,
)
from protocol.pci_regs import BAR_COUNT, CONFIG_BYTES, CONVENTIONAL_BYTES

_EA_ENABLE = 1 << 31
_EA_FIELD_64 = 0x2
_EA_MEMORY, _EA_MEMORY_PREFETCHABLE, _EA_IO = 0, 1, 2  # PCI_EA_P_MEM, _MEM_PREFETCH, _IO


class EnhancedBar(NamedTuple):
    """A BAR that the Enhanced Allocation capability describes instead of the BAR register."""

    io: bool
    wide: bool
    prefetchable: bool
    size_bytes: int


def _dword(config: bytes, offset: int) -> int:
    return int.from_bytes(config[offset : offset + 4], "little")


def resizable_bars(config: bytes) -> dict[int, int]:
    """BAR index to its current size in bytes, from the Resizable BAR capability (PCIe 7.8.6)."""
    at = find_extended_capability(config, PCI_EXT_CAP_ID_REBAR)
    if at is None:
        return {}
    count = _dword(config, at + 8) >> 5 & 7  # of the first control register only
    controls = [at + 8 + 8 * number for number in range(count)]
    sizes: dict[int, int] = {}
    for offset in controls:
        if offset + 4 <= CONFIG_BYTES:
            control = _dword(config, offset)
            sizes[control & 7] = 1 << 20 + (control >> 8 & 0x3F)
    return sizes


def enhanced_bars(config: bytes) -> dict[int, EnhancedBar]:
    """BAR index to what Enhanced Allocation says of it (PCIe 7.8.5, Linux's ``pci_ea_read``).

    Disabled entries and those for VFs, bridges and the ROM are left out, as are entries cut off by
    the end of the conventional space.
    """
    at = find_capability(config, PCI_CAP_ID_EA)
    if at is None:
        return {}
    found: dict[int, EnhancedBar] = {}
    offset = at + 4
    for _ in range(config[at + 2] & 0x3F):
        entry = _dword(config, offset)
        dwords = entry & 7
        end = offset + 4 + 4 * dwords
        if end > CONVENTIONAL_BYTES:
            break
        bar = _enhanced_bar([_dword(config, word) for word in range(offset, end, 4)])
        index = entry >> 4 & 0xF
        if bar and index < BAR_COUNT:
            found[index] = bar
        offset = end
    return found


def _enhanced_bar(words: list[int]) -> EnhancedBar | None:
    entry, fields = words[0], words[1:]
    primary, secondary = entry >> 8 & 0xFF, entry >> 16 & 0xFF
    kinds = (_EA_MEMORY, _EA_MEMORY_PREFETCHABLE, _EA_IO)
    kind = primary if primary in kinds else secondary
    if not entry & _EA_ENABLE or kind not in kinds or len(fields) < 2:
        return None
    wide_base, wide_span = bool(fields[0] & _EA_FIELD_64), bool(fields[1] & _EA_FIELD_64)
    if len(fields) < 2 + wide_base + wide_span:
        return None
    span = fields[1] | 3  # the largest offset; its low two bits are not stored
    if wide_span:
        span |= fields[2 + wide_base] << 32
    return EnhancedBar(kind == _EA_IO, wide_base, kind == _EA_MEMORY_PREFETCHABLE, span + 1)
