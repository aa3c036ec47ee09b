# SPDX-License-Identifier: MIT
"""The resource tree: who owns which addresses. Knows no device and never suspends.

Follows kernel/resource.c. Ranges are inclusive at both ends, in bytes of guest physical address
(or bus numbers). Children are kept sorted by address and never overlap.
"""

from __future__ import annotations

from bisect import bisect_left
from errno import EBUSY, EINVAL
from operator import attrgetter
from typing import Final

# include/linux/ioport.h
IORESOURCE_ROM_ENABLE = 1 << 0
IORESOURCE_PCI_FIXED = 1 << 4
IORESOURCE_TYPE_BITS = 0x0000_1F00
IORESOURCE_IO = 0x0000_0100
IORESOURCE_MEM = 0x0000_0200
IORESOURCE_BUS = 0x0000_1000
IORESOURCE_PREFETCH = 0x0000_2000
IORESOURCE_READONLY = 0x0000_4000
IORESOURCE_SIZEALIGN = 0x0004_0000  # size indicates alignment
IORESOURCE_STARTALIGN = 0x0008_0000  # start field is alignment
IORESOURCE_MEM_64 = 0x0010_0000
IORESOURCE_WINDOW = 0x0020_0000
IORESOURCE_UNSET = 0x2000_0000
IORESOURCE_BUSY = 0x8000_0000

RESOURCE_MAX = (1 << 64) - 1

_by_start = attrgetter("start")
_NO_CHILDREN: Final[list[Resource]] = []  # shared, and replaced by whoever has the first child


class Resource:
    """struct resource: an inclusive range with IORESOURCE_* flags, linked into one tree."""

    __slots__ = ("children", "end", "flags", "name", "parent", "start")

    def __init__(self, start: int = 0, end: int = 0, flags: int = 0, name: str = "") -> None:
        self.start = start
        self.end = end
        self.flags = flags
        self.name = name
        self.parent: Resource | None = None
        self.children: list[Resource] = _NO_CHILDREN

    @property
    def size(self) -> int:
        """resource_size() in bytes."""
        return self.end - self.start + 1

    def request(self, new: Resource) -> Resource | None:
        """request_resource_conflict(): link ``new`` under this one, or return what is in the way.

        The conflict is this resource itself when ``new`` is reversed or sticks out of it.
        """
        if new.end < new.start or new.start < self.start or new.end > self.end:
            return self
        children = self.children
        index = bisect_left(children, new.start, key=_by_start)
        if index and children[index - 1].end >= new.start:
            return children[index - 1]
        if index < len(children) and children[index].start <= new.end:
            return children[index]
        if not children:  # a device has seven resources and hardly one with children
            self.children = [new]
        else:
            children.insert(index, new)
        new.parent = self
        return None

    def release(self) -> int:
        """release_resource(): unlink; 0, or -EINVAL if it was on no tree."""
        parent = self.parent
        if parent is None:
            return -EINVAL
        siblings = parent.children
        index = bisect_left(siblings, self.start, key=_by_start)
        if index >= len(siblings) or siblings[index] is not self:
            return -EINVAL
        del siblings[index]
        self.parent = None
        return 0

    def allocate(
        self,
        new: Resource,
        size: int,
        *,
        minimum: int = 0,
        maximum: int = RESOURCE_MAX,
        align: int = 1,
    ) -> int:
        """allocate_resource(): give ``new`` the lowest free aligned range of ``size`` bytes.

        ``minimum`` and ``maximum`` are inclusive bounds, ``align`` a power of two in bytes.
        0, or -EBUSY when no gap is large enough; ``new`` is unchanged then.
        """
        start = self.find_gap(size, minimum=minimum, maximum=maximum, align=align)
        if start is None:
            return -EBUSY
        new.start = start
        new.end = start + size - 1
        return -EBUSY if self.request(new) is not None else 0

    def find_gap(
        self, size: int, *, minimum: int = 0, maximum: int = RESOURCE_MAX, align: int = 1
    ) -> int | None:
        """find_resource_space(): start of the lowest gap that fits, or None."""
        low = max(self.start, minimum)
        top = min(self.end, maximum)
        children = self.children
        index = bisect_left(children, low, key=_by_start)
        if index and children[index - 1].end >= low:
            low = children[index - 1].end + 1
        for child in children[index:]:
            start = (low + align - 1) & -align
            if start + size <= child.start:
                break
            low = child.end + 1
        start = (low + align - 1) & -align
        return start if start + size - 1 <= top else None

    def describe(self) -> str:
        """What the kernel's %pR prints, for log lines."""
        kind = "io " if self.flags & IORESOURCE_IO else "mem"
        if self.flags & IORESOURCE_BUS:
            return f"[bus {self.start:02x}-{self.end:02x}]"
        if self.flags & IORESOURCE_UNSET:
            text = f"[{kind} size {self.size:#010x}"
        else:
            text = f"[{kind} {self.start:#010x}-{self.end:#010x}"
        text += " 64bit" if self.flags & IORESOURCE_MEM_64 else ""
        text += " pref" if self.flags & IORESOURCE_PREFETCH else ""
        return text + "]"

    def __repr__(self) -> str:
        return f"{self.name} {self.describe()}"
