# SPDX-License-Identifier: MIT
"""Who answers at a guest-physical address: pages of configuration windows, and mapped BARs.

A dictionary look-up for a window page, one bisection for a BAR. Knows no device.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

PAGE_SHIFT: Final = 12
PAGE_BYTES: Final = 1 << PAGE_SHIFT
PAGE_MASK: Final = PAGE_BYTES - 1

Read = Callable[[int, int], int]  # (offset, size in bytes) -> value
Write = Callable[[int, int, int], int]  # (offset, size in bytes, value) -> ns the VP was held


def all_ones(size: int) -> int:
    """What a read of ``size`` bytes gives where nobody answers."""
    return (1 << 8 * size) - 1


class AddressMap:
    """Claimed pages and regions; of two overlapping claims the first stays.

    ``readers`` and ``writers`` go by page number; others look into them, ahead of the regions,
    and never write them.
    """

    __slots__ = ("_regions", "_starts", "readers", "writers")

    def __init__(self) -> None:
        self.readers: dict[int, Read] = {}
        self.writers: dict[int, Write] = {}
        self._starts: list[int] = []
        self._regions: list[tuple[int, Read, Write]] = []  # end, exclusive

    def claim_page(self, page: int, read: Read, write: Write) -> bool:
        """Route page number ``page``; False if somebody has it."""
        if page in self.readers:
            return False
        self.readers[page] = read
        self.writers[page] = write
        return True

    def release_page(self, page: int) -> None:
        """Give a claimed page up."""
        del self.readers[page]
        del self.writers[page]

    def claim_region(self, start: int, size_bytes: int, read: Read, write: Write) -> bool:
        """Route a region; False if it overlaps one that is there."""
        end = start + size_bytes
        at = bisect_right(self._starts, start)
        if at and self._regions[at - 1][0] > start:
            return False
        if at < len(self._starts) and self._starts[at] < end:
            return False
        self._starts.insert(at, start)
        self._regions.insert(at, (end, read, write))
        return True

    def release_region(self, start: int) -> None:
        """Give the region up that begins at ``start``."""
        at = bisect_right(self._starts, start) - 1
        assert self._starts[at] == start, "only a claimed region is released"
        del self._starts[at]
        del self._regions[at]

    def read_region(self, gpa: int, size: int) -> int | None:
        """Read from a region; None where there is none."""
        at = bisect_right(self._starts, gpa) - 1
        if at < 0:
            return None
        end, read, _ = self._regions[at]
        return read(gpa - self._starts[at], size) if gpa + size <= end else None

    def write_region(self, gpa: int, size: int, value: int) -> int | None:
        """Write to a region: nanoseconds held, None where there is none."""
        at = bisect_right(self._starts, gpa) - 1
        if at < 0:
            return None
        end, _, write = self._regions[at]
        return write(gpa - self._starts[at], size, value) if gpa + size <= end else None
