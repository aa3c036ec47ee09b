# SPDX-License-Identifier: MIT
"""Who answers at a guest-physical address: pages of configuration windows, and mapped BARs.

A dictionary look-up for a page that was claimed or found before, else one bisection. Knows no
device.
"""

from bisect import bisect_right
from collections.abc import Callable
from typing import Final

import msgspec

from protocol.hypercall import HV_HYP_PAGE_SHIFT, HV_HYP_PAGE_SIZE

LARGEST_ACCESS: Final = 8  # bytes
ROUTES_KEPT: Final = 1024  # pages of regions; a driver works on a few pages of each device

Read = Callable[[int, int], int]  # (offset, size in bytes) -> value
Write = Callable[[int, int, int], int]  # (offset, size in bytes, value) -> ns the VP was held


def all_ones(size: int) -> int:
    """What a read of ``size`` bytes gives where nobody answers."""
    return (1 << 8 * size) - 1


class Route(msgspec.Struct, frozen=True):
    """Who answers from ``start`` up to ``end``, exclusive; offsets count from ``start``."""

    start: int
    end: int
    read: Read
    write: Write


class AddressMap:
    """Claimed pages and regions. A page beats a region; of two alike the first stays.

    ``routes`` go by page number: claimed pages, and pages of regions that were found before and
    that no access from within can leave. Others look into it ahead of :meth:`find`, and never
    write it.
    """

    __slots__ = ("_claimed", "_found", "_regions", "_starts", "routes")

    def __init__(self) -> None:
        self.routes: dict[int, Route] = {}
        self._claimed: set[int] = set()
        self._found: list[int] = []  # pages that ``find`` has put into ``routes``
        self._starts: list[int] = []
        self._regions: list[Route] = []

    def claim_page(self, page: int, read: Read, write: Write) -> bool:
        """Route page number ``page``; False if somebody has claimed it."""
        if page in self._claimed:
            return False
        self._claimed.add(page)
        start = page << HV_HYP_PAGE_SHIFT
        self.routes[page] = Route(start, start + HV_HYP_PAGE_SIZE, read, write)
        return True

    def release_page(self, page: int) -> None:
        """Give a claimed page up."""
        self._claimed.remove(page)
        del self.routes[page]

    def claim_region(self, start: int, size_bytes: int, read: Read, write: Write) -> bool:
        """Route a region; False if it overlaps one that is there."""
        end = start + size_bytes
        at = bisect_right(self._starts, start)
        if at and self._regions[at - 1].end > start:
            return False
        if at < len(self._starts) and self._starts[at] < end:
            return False
        self._starts.insert(at, start)
        self._regions.insert(at, Route(start, end, read, write))
        return True

    def release_region(self, start: int) -> None:
        """Give the region up that begins at ``start``."""
        at = bisect_right(self._starts, start) - 1
        assert self._starts[at] == start, "only a claimed region is released"
        del self._starts[at]
        del self._regions[at]
        for page in self._found:
            if page not in self._claimed:
                self.routes.pop(page, None)
        self._found.clear()

    def find(self, gpa: int, size: int) -> Route | None:
        """The region that answers an access at ``gpa``; None where there is none."""
        at = bisect_right(self._starts, gpa) - 1
        if at < 0:
            return None
        route = self._regions[at]
        if gpa + size > route.end:
            return None
        page = gpa >> HV_HYP_PAGE_SHIFT
        first, last = page << HV_HYP_PAGE_SHIFT, (page << HV_HYP_PAGE_SHIFT) + HV_HYP_PAGE_SIZE - 1
        whole = route.start <= first and last + LARGEST_ACCESS <= route.end
        if whole and len(self._found) < ROUTES_KEPT:
            self.routes[page] = route
            self._found.append(page)
        return route
