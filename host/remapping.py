# SPDX-License-Identifier: MIT
"""The interrupt remapping entries of one assigned device, and what their MSI messages look like.

An entry says where one MSI message goes: targets and vector. A block of entries is made by one
create message (more than one entry for multi-MSI). Knows no hypercall and no processor.
"""

from collections.abc import Callable, Iterator
from heapq import heappop, heappush
from typing import Final, NamedTuple

import msgspec

from protocol.gic import GICD_BASE, GICD_SETSPI_NSR
from protocol.ids import PcpuId, Vector, VpIndex

# 16 bits of index in a remappable-format MSI address (Intel VT-d specification, section 5.1.5).
MAX_ENTRIES_PER_DEVICE: Final = 1 << 16
_MSI_BASE: Final = 0xFEE00000  # what an x86 chipset takes for an interrupt message
_REMAPPABLE: Final = 1 << 4
_SUBHANDLE_VALID: Final = 1 << 3


class RemapEntry(msgspec.Struct, frozen=True, gc=False):
    """One remapping entry as it stands. Replaced when retargeted, never changed."""

    vector: Vector
    targets: tuple[VpIndex, ...]  # ascending, not empty
    delivery_mode: int  # wire value: 0 fixed, 1 lowest priority
    pcpu: PcpuId  # which physical CPU takes the interrupt for the VM
    first: int  # table index of the block this entry belongs to
    block_vectors: int  # vectors asked for in the block's create message


class MsiFormat(NamedTuple):
    """How table indices become MSI messages and back; opaque to the guest, so a host's choice."""

    name: str
    encode: Callable[[int, int], tuple[int, int]]  # (index, count) -> (address, data) of the first
    decode: Callable[[int, int], int | None]  # (address, data) -> index
    entries: Callable[[int], int]  # table entries that a block of ``count`` vectors takes


def _encode_remappable(index: int, count: int) -> tuple[int, int]:
    subhandle = _SUBHANDLE_VALID if count > 1 else 0
    handle = (index & 0x7FFF) << 5 | (index >> 15) << 2
    return _MSI_BASE | _REMAPPABLE | subhandle | handle, 0


def _decode_remappable(address: int, data: int) -> int | None:
    if address & ~0xFFFFF != _MSI_BASE or not address & _REMAPPABLE:
        return None
    index = (address >> 5) & 0x7FFF | (address & 4) << 13
    return index + (data & 0xFFFF) if address & _SUBHANDLE_VALID else index


def _encode_software(index: int, count: int) -> tuple[int, int]:
    del count
    return _MSI_BASE | index << 2, 0


def _decode_software(address: int, data: int) -> int | None:
    del data
    return (address & 0xFFFFF) >> 2 if address & ~0xFFFFF == _MSI_BASE else None


def _encode_spi(index: int, count: int) -> tuple[int, int]:
    del count
    return GICD_BASE + GICD_SETSPI_NSR, index


def _decode_spi(address: int, data: int) -> int | None:
    return data if address == GICD_BASE + GICD_SETSPI_NSR else None


def _one_per_vector(count: int) -> int:
    return count


def _one_per_block(count: int) -> int:
    del count
    return 1


# Model: what real Hyper-V puts into address and data is not established and guests must not care;
# this is VT-d's remappable format, whose subhandle makes "data + n" find the n-th of a block.
REMAPPABLE: Final = MsiFormat("remappable", _encode_remappable, _decode_remappable, _one_per_vector)
# OpenVMM's table for x86: address 0xFEE00000 | index << 2, data 0 and ignored on delivery, so the
# offset within a multi-MSI block is lost.
SOFTWARE_TABLE: Final = MsiFormat("software", _encode_software, _decode_software, _one_per_block)

# Model: of arm64 no source says more than that OpenVMM answers with the SPI as data. Here data is
# the table's index, and the address that of the distributor's doorbell.
SPI_TABLE: Final = MsiFormat("spi", _encode_spi, _decode_spi, _one_per_vector)


class RemapTable:
    """The entries of one device. A freed block serves the next of its length, lowest first."""

    __slots__ = ("_decode", "_end", "_entries", "_format", "_free", "users")

    def __init__(self, msi_format: MsiFormat) -> None:
        self._format = msi_format
        self._decode = msi_format.decode
        self._entries: dict[int, RemapEntry] = {}
        self._free: dict[int, list[int]] = {}  # block length -> heap of free blocks of it
        self._end = 0
        self.users = 1  # functions that share this logical device id

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[RemapEntry]:
        return iter(self._entries.values())

    def add_block(
        self,
        vector: Vector,
        count: int,
        targets: tuple[VpIndex, ...],
        delivery_mode: int,
        pcpu: PcpuId,
    ) -> tuple[int, int] | None:
        """``(address, data)`` of a new block of ``count`` vectors from ``vector`` on; None if the
        table is full. The n-th entry's message is ``(address, data + n)``."""
        entries = self._format.entries(count)
        first = self._take(entries)
        if first is None:
            return None
        for nth in range(entries):
            self._entries[first + nth] = RemapEntry(
                Vector(vector + nth), targets, delivery_mode, pcpu, first, count
            )
        return self._format.encode(first, count)

    def remove_block(self, address: int, data: int) -> RemapEntry | None:
        """Forget the block whose first message is ``(address, data)``; its first entry, or None
        if there is no such block."""
        index = self._decode(address, data)
        entry = None if index is None else self._entries.get(index)
        if entry is None or index is None:
            return None
        if self._format.encode(entry.first, entry.block_vectors) != (address, data):
            return None  # not what the create message returned
        entries = self._format.entries(entry.block_vectors)
        for nth in range(entries):
            del self._entries[index + nth]
        heappush(self._free.setdefault(entries, []), index)
        return entry

    def find(self, address: int, data: int) -> RemapEntry | None:
        """The entry that a message ``(address, data)`` reaches."""
        index = self._decode(address, data)
        return None if index is None else self._entries.get(index)

    def replace(self, address: int, data: int, entry: RemapEntry) -> None:
        """Put ``entry`` where :meth:`find` found its predecessor."""
        index = self._decode(address, data)
        assert index in self._entries
        self._entries[index] = entry

    def _take(self, entries: int) -> int | None:
        if free := self._free.get(entries):
            return heappop(free)
        first = self._end
        if first + entries > MAX_ENTRIES_PER_DEVICE:
            return None
        self._end += entries
        return first
