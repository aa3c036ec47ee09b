# SPDX-License-Identifier: MIT
"""The guest's pool of MMIO addresses, as VMBus's ACPI node grants it. After vmbus_allocate_mmio().

Addresses are inclusive byte ranges. The pool has usually two ranges, one below 4 GiB and one above.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from errno import ENXIO
from operator import attrgetter

from guest.kernel.resource import IORESOURCE_BUSY, IORESOURCE_MEM, Resource
from guest.kernel.sync import Mutex


class VmbusMmio:
    """hyperv_mmio and fb_mmio: the ranges, what is taken of them, and the framebuffer's part.

    ``_hints`` remembers, per (range, size, align), the address below which a request of that shape
    finds nothing free, so that the two-thousandth device costs what the tenth does.
    """

    def __init__(
        self, lock: Mutex, ranges: Sequence[tuple[int, int]], framebuffer: tuple[int, int] | None
    ) -> None:
        self._lock = lock
        self.ranges = [
            Resource(start, end, IORESOURCE_MEM, "hyperv mmio") for start, end in sorted(ranges)
        ]
        self.framebuffer = framebuffer
        if framebuffer is not None:
            for held in self.ranges:
                if held.start <= framebuffer[0] <= held.end:
                    held.request(Resource(*framebuffer, IORESOURCE_BUSY, "fb_range"))
        self._hints: dict[tuple[int, int, int], int] = {}

    async def allocate(
        self, name: str, *, minimum: int, maximum: int, size: int, align: int
    ) -> tuple[int, Resource | None]:
        """vmbus_allocate_mmio() of a range that may not overlap the framebuffer.

        ``size`` and ``align`` in bytes. Returns (0, the range) or (-ENXIO, None).

        Model: ``maximum`` only rules out whole ranges, as in Linux, where the address found inside
        a range is not compared with it.
        """
        await self._lock.lock()
        found = self._find(name, minimum, maximum, size, align)
        await self._lock.unlock()
        return (0, found) if found is not None else (-ENXIO, None)

    def _find(
        self, name: str, minimum: int, maximum: int, size: int, align: int
    ) -> Resource | None:
        for index, held in enumerate(self.ranges):
            if held.start >= maximum or held.end <= minimum:
                continue
            key = (index, size, align)
            new = Resource(0, 0, IORESOURCE_MEM | IORESOURCE_BUSY, name)
            if held.allocate(new, size, minimum=self._hints.get(key, 0), align=align) == 0:
                self._hints[key] = new.end + 1
                return new
        return None

    async def free(self, taken: Resource) -> None:
        """vmbus_free_mmio() of a range that allocate() gave."""
        await self._lock.lock()
        self._lower_hints(taken)
        taken.release()
        await self._lock.unlock()

    def _lower_hints(self, going: Resource) -> None:
        """What goes makes one gap with the room before it, so a request may fit from there on."""
        held = going.parent
        assert held is not None, "only what allocate() gave is freed"
        index = bisect_left(held.children, going.start, key=attrgetter("start"))
        gap = held.children[index - 1].end + 1 if index else held.start
        for key, hint in self._hints.items():
            if gap < hint and self.ranges[key[0]] is held:
                self._hints[key] = gap

    @property
    def taken(self) -> int:
        """How many ranges are allocated, without the framebuffer's."""
        return sum(1 for held in self.ranges for child in held.children if child.name != "fb_range")
