# SPDX-License-Identifier: MIT
"""Guest-physical pages: blocks of bytes by address, shared with whoever is given a window."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from guest.kernel.faults import DoubleFree

PAGE_BYTES = 4096


class PhysicalMemory:
    """Guest pages by physical address. Shared bytes: the host sees the same windows."""

    __slots__ = ("_blocks", "_next_page", "_starts")
    FIRST_PAGE = 0x1000  # an arbitrary low page; page 0 stays unused

    def __init__(self) -> None:
        self._blocks: dict[int, memoryview] = {}
        self._starts: list[int] = []
        self._next_page = self.FIRST_PAGE

    def alloc_pages(self, count: int) -> tuple[int, memoryview]:
        """``count`` contiguous zeroed pages: (guest physical address in bytes, their bytes)."""
        gpa = self._next_page * PAGE_BYTES
        self._next_page += count
        block = memoryview(bytearray(count * PAGE_BYTES))
        self._blocks[gpa] = block
        self._starts.append(gpa)  # addresses only grow, so this stays sorted
        return gpa, block

    def free_pages(self, gpa: int) -> None:
        """Give a block back, by the address that alloc_pages() returned."""
        if self._blocks.pop(gpa, None) is None:
            raise DoubleFree(f"pages at {gpa:#x} freed twice or never allocated")
        del self._starts[bisect_left(self._starts, gpa)]

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """The bytes from ``gpa`` on, shared; ``LookupError`` where no block holds them all."""
        index = bisect_right(self._starts, gpa) - 1
        start = self._starts[index] if index >= 0 else 0
        block = self._blocks.get(start)
        offset = gpa - start
        if block is None or offset + size_bytes > len(block):
            raise LookupError(f"no {size_bytes} contiguous guest bytes at {gpa:#x}")
        return block[offset : offset + size_bytes]

    def has_room(self, _count: int) -> bool:
        """Whether so many pages are to be had: here always."""
        return True

    @property
    def blocks(self) -> int:
        """How many blocks are allocated."""
        return len(self._blocks)


class ReservedMemory(PhysicalMemory):
    """What ``crashkernel=`` set aside: a crash kernel hands out these pages and no others.

    They are part of the machine's memory, in which the dead kernel's pages stay as they are.
    Model: only pages count; the slab takes what it needs, unless the explorer lets it fail.
    """

    __slots__ = ("_machine", "_own", "_pages")

    def __init__(self, machine: PhysicalMemory, pages: int) -> None:
        super().__init__()
        self._machine = machine
        self._pages = pages
        self._own: dict[int, int] = {}  # address of each block to its pages

    def alloc_pages(self, count: int) -> tuple[int, memoryview]:
        """As :meth:`PhysicalMemory.alloc_pages`; who asks has looked whether there is room."""
        gpa, block = self._machine.alloc_pages(count)
        self._own[gpa] = count
        return gpa, block

    def free_pages(self, gpa: int) -> None:
        """As :meth:`PhysicalMemory.free_pages`."""
        self._machine.free_pages(gpa)
        del self._own[gpa]

    def has_room(self, count: int) -> bool:
        """Whether ``count`` of the reserved pages are left."""
        return sum(self._own.values()) + count <= self._pages

    def window(self, gpa: int, size_bytes: int) -> memoryview:
        """As :meth:`PhysicalMemory.window`, of the whole machine."""
        return self._machine.window(gpa, size_bytes)

    @property
    def blocks(self) -> int:
        """How many blocks this kernel has allocated."""
        return len(self._own)
