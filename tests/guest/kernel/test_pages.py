# SPDX-License-Identifier: MIT
"""Physical pages: shared bytes, freed once."""

from __future__ import annotations

import pytest

from guest.kernel.faults import DoubleFree
from guest.kernel.pages import PAGE_BYTES, PhysicalMemory


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
