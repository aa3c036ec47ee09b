# SPDX-License-Identifier: MIT
"""Physical pages: shared bytes, freed once."""

from __future__ import annotations

import pytest

from guest.kernel.faults import DoubleFree
from guest.kernel.pages import PAGE_BYTES, PhysicalMemory, ReservedMemory


def test_pages_are_shared_bytes_and_are_freed_once() -> None:
    memory = PhysicalMemory()
    gpa, block = memory.alloc_pages(2)
    memory.window(gpa, PAGE_BYTES)[5] = 7
    assert block[5] == 7
    memory.free_pages(gpa)
    with pytest.raises(DoubleFree):
        memory.free_pages(gpa)
    with pytest.raises(LookupError):
        memory.window(gpa, PAGE_BYTES)


def test_reserved_pages_are_bounded_and_counted_by_themselves() -> None:
    machine = PhysicalMemory()
    before, _ = machine.alloc_pages(3)
    reserved = ReservedMemory(machine, pages=4)
    assert reserved.blocks == 0
    gpa, block = reserved.alloc_pages(3)
    assert (reserved.has_room(1), reserved.has_room(2)) == (True, False)
    assert (machine.has_room(2), machine.blocks, reserved.blocks) == (True, 2, 1)
    machine.window(gpa, PAGE_BYTES)[0] = 9  # the host sees them as it sees all others
    assert block[0] == reserved.window(gpa, 1)[0] == 9
    reserved.window(before, PAGE_BYTES)  # /proc/vmcore
    reserved.free_pages(gpa)
    assert reserved.has_room(4)
    with pytest.raises(DoubleFree):
        reserved.free_pages(gpa)
