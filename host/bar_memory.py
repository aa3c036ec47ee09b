# SPDX-License-Identifier: MIT
"""The memory behind one BAR, sparse: a dword exists once it was written. No address, no meaning.

A 128 GiB BAR therefore costs as much as what was touched of it.
"""

from collections.abc import Mapping

from protocol.errors import LocalProtocolError
from protocol.pci_regs import Bar

_WHOLE = 0xFFFF_FFFF


class BarMemory:
    """Dwords by index. ``reset`` values are shared by all instances of a profile."""

    __slots__ = ("_read_only", "_reset", "_size_bytes", "words")

    def __init__(self, bar: Bar, reset: Mapping[int, int], read_only: range) -> None:
        """``reset``: dword index to value where not 0; ``read_only``: dwords no write reaches."""
        self._size_bytes = bar.size_bytes
        self._reset = reset
        self._read_only = read_only
        self.words: dict[int, int] = {}

    def read(self, offset: int, size: int) -> int:
        """The little-endian value of 1, 2, 4 or 8 bytes; ``LocalProtocolError`` outside the BAR."""
        if size == 4 and not offset & 3 and 0 <= offset < self._size_bytes:
            return self.word(offset >> 2)
        self._check(offset, size)
        value = 0
        for position in range(size):
            at = offset + position
            value |= (self.word(at >> 2) >> 8 * (at & 3) & 0xFF) << 8 * position
        return value

    def write(self, offset: int, size: int, value: int) -> None:
        """Write 1, 2, 4 or 8 bytes; ``LocalProtocolError`` outside the BAR."""
        if size == 4 and not offset & 3 and 0 <= offset < self._size_bytes:
            if offset >> 2 not in self._read_only:
                self.words[offset >> 2] = value & _WHOLE
            return
        self._check(offset, size)
        for position in range(size):
            at = offset + position
            lane = 8 * (at & 3)
            self._merge(at >> 2, 0xFF << lane, (value >> 8 * position & 0xFF) << lane)

    def word(self, index: int) -> int:
        """The dword at byte offset ``4 * index``."""
        value = self.words.get(index)
        return self._reset.get(index, 0) if value is None else value

    def _merge(self, index: int, mask: int, value: int) -> None:
        if index not in self._read_only:
            self.words[index] = self.word(index) & ~mask | value & mask

    def _check(self, offset: int, size: int) -> None:
        if size not in {1, 2, 4, 8} or not 0 <= offset <= self._size_bytes - size:
            raise LocalProtocolError(
                f"BAR access of {size} bytes at {offset:#x} in a BAR of {self._size_bytes:#x}"
            )
