# SPDX-License-Identifier: MIT
"""The guest's pool of MMIO addresses, as VMBus's ACPI node grants it. After vmbus_allocate_mmio().

Addresses are inclusive byte ranges. The pool has usually two ranges, one below 4 GiB and one above.
What is taken is in two trees, as in Linux: of the pool (its shadow) and of all addresses (iomem).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from errno import ENXIO
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from guest.kernel.regions import release_region, request_region
from guest.kernel.resource import IORESOURCE_MEM, RESOURCE_MAX, Resource
from guest.kernel.sync import Mutex

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel

Range = tuple[int, int]

# What a VM usually has: about 1 GiB below the I/O APIC, and 15 TiB from 1 TiB on, a hundred BARs of
# 128 GiB.
MMIO_RANGES: Final = ((0xC000_0000, 0xFEBF_FFFF), (0x100_0000_0000, 0xFFF_FFFF_FFFF))
VTPM_BASE_ADDRESS: Final = 0xFED4_0000
FB_BYTES_LEAST: Final = 0x10_0000  # vmbus_reserve_fb() gives up below it
NOTHING: Final[Mapping[str, Range]] = MappingProxyType({})

_by_start = attrgetter("start")


class VmbusMmio:
    """hyperv_mmio, fb_mmio and iomem: the ranges, and what is taken of them.

    ``regions`` are the allocated ranges, oldest first. ``_hints`` remembers, per (range, size,
    align), the address below which a request of that shape finds nothing free, so that the
    two-thousandth device costs what the tenth does.
    """

    def __init__(
        self,
        kernel: Kernel,
        ranges: Sequence[Range],
        framebuffer: Range | None,
        iomem: Mapping[str, Range] = NOTHING,
    ) -> None:
        """``iomem`` is what the kernel has of all addresses before, by name."""
        self._kernel = kernel
        self._lock = Mutex(kernel, "hyperv_mmio_lock")
        self.ranges = [
            Resource(start, end, IORESOURCE_MEM, "hyperv mmio")
            for start, end in vmbus_walk_resources(ranges)
        ]
        self.iomem = Resource(0, RESOURCE_MAX, IORESOURCE_MEM, "PCI mem")
        for name, (start, end) in iomem.items():
            request_region(self.iomem, start, end - start + 1, name)
        self.fb_mmio = self._reserve_fb(framebuffer)
        self.regions: dict[Resource, None] = {}
        self._hints: dict[tuple[int, int, int], int] = {}

    def _reserve_fb(self, framebuffer: Range | None) -> Resource | None:
        """vmbus_reserve_fb(): in the lowest range only, and halved until it fits there.

        Model: as on a VM of generation 1, whose video device says how large it is; Linux takes 128
        MiB at most on one of generation 2.
        """
        if framebuffer is None or not self.ranges:
            return None
        start, end = framebuffer
        size = end - start + 1
        while size >= FB_BYTES_LEAST:
            reserved = request_region(self.ranges[0], start, size, "fb_range")
            if reserved is not None:
                return reserved
            size >>= 1
        return None

    async def allocate(
        self, name: str, *, minimum: int, maximum: int, size: int, align: int
    ) -> tuple[int, Resource | None]:
        """vmbus_allocate_mmio() of a range that may not overlap the framebuffer.

        ``size`` and ``align`` in bytes. Returns (0, the range) or (-ENXIO, None). ``minimum`` and
        ``maximum`` only rule out whole ranges: the address found inside a range is not compared
        with them, so that a range across 4 GiB may give either what is on its other side.
        """
        await self._lock.lock()
        found = None
        for index, held in enumerate(self.ranges):
            if held.start < maximum and held.end > minimum:
                found = found or self._take(index, name, size, align)
        await self._lock.unlock()
        return (0, found) if found is not None else (-ENXIO, None)

    def _take(self, index: int, name: str, size: int, align: int) -> Resource | None:
        """The lowest place in one range that is free in both trees."""
        held, key = self.ranges[index], (index, size, align)
        start = held.find_gap(size, minimum=self._hints.get(key, 0), align=align)
        while start is not None:
            new = request_region(self.iomem, start, size, name)
            if new is not None:
                shadow = request_region(held, start, size, name)
                assert shadow is not None, "the gap was found"
                self._hints[key] = new.end + 1
                self.regions[new] = None
                return new
            start = held.find_gap(size, minimum=start + align, align=align)
        return None

    async def free(self, taken: Resource) -> None:
        """vmbus_free_mmio() of a range that allocate() gave.

        One that is not busy any more is not found in iomem, and stays there (open item O28).
        """
        await self._lock.lock()
        for index, held in enumerate(self.ranges):
            if held.start <= taken.start and taken.end <= held.end:
                self._lower_hints(index, taken)
                release_region(held, taken.start, taken.size)
        if release_region(self.iomem, taken.start, taken.size) is None:
            told = f"<{taken.start:#018x}-{taken.end:#018x}>"
            self._kernel.log("warn", f"Trying to free nonexistent resource {told}")
        else:
            del self.regions[taken]
        await self._lock.unlock()

    def _lower_hints(self, index: int, going: Resource) -> None:
        """What goes makes one gap with the room before it, so a request may fit from there on."""
        held = self.ranges[index]
        at = bisect_left(held.children, going.start, key=_by_start)
        gap = held.children[at - 1].end + 1 if at else held.start
        for key, hint in self._hints.items():
            if gap < hint and key[0] == index:
                self._hints[key] = gap

    @property
    def taken(self) -> int:
        """How many ranges are allocated, without the framebuffer's."""
        return len(self.regions)


def vmbus_walk_resources(ranges: Sequence[Range]) -> list[Range]:
    """What Linux makes of the ranges that ACPI names: ascending, adjacent ones merged.

    A range that reaches the virtual TPM ends below it.
    """
    found: list[Range] = []
    for start, end in sorted(ranges):
        if start < VTPM_BASE_ADDRESS <= end:
            end = VTPM_BASE_ADDRESS - 1
        if found and found[-1][1] + 1 == start:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found
