# SPDX-License-Identifier: MIT
"""Busy regions of the resource tree, and what becomes of one that is not busy any more."""

from __future__ import annotations

from guest.kernel.regions import release_region, request_region
from guest.kernel.resource import IORESOURCE_BUSY, IORESOURCE_MEM, Resource

PAGE = 0x1000


def tree() -> Resource:
    return Resource(0, 0xF_FFFF, IORESOURCE_MEM, "root")


def claimed(root: Resource, start: int, size: int = PAGE) -> Resource:
    """A region that must be free."""
    region = request_region(root, start, size, "device")
    assert region is not None
    return region


def test_a_region_is_busy_and_of_its_parents_type() -> None:
    region = claimed(tree(), 0x2000)
    assert region.flags == IORESOURCE_MEM | IORESOURCE_BUSY
    assert (region.start, region.end) == (0x2000, 0x2FFF)


def test_a_busy_region_is_in_the_way_of_whatever_overlaps_it() -> None:
    root = tree()
    claimed(root, 0x2000, 2 * PAGE)
    assert request_region(root, 0x3000, PAGE, "inside") is None
    assert request_region(root, 0x1000, 2 * PAGE, "across") is None
    assert request_region(root, 0xF_F000, 2 * PAGE, "beyond the root") is None


def test_what_is_not_busy_is_gone_into_as_far_as_it_reaches() -> None:
    root = tree()
    window = claimed(root, 0x4000, 4 * PAGE)
    window.flags &= ~IORESOURCE_BUSY
    assert claimed(root, 0x4000, 4 * PAGE).parent is window
    assert request_region(root, 0x4000, 8 * PAGE, "larger") is None


def test_a_region_is_released_by_just_its_addresses() -> None:
    root = tree()
    region = claimed(root, 0x2000, 2 * PAGE)
    assert release_region(root, 0x2000, PAGE) is None
    assert release_region(root, 0x8000, PAGE) is None
    assert release_region(root, 0x2000, 2 * PAGE) is region
    assert root.children == []


def test_a_region_that_is_not_busy_is_not_found() -> None:
    root = tree()
    window = claimed(root, 0x2000)
    window.flags &= ~IORESOURCE_BUSY
    assert release_region(root, 0x2000, PAGE) is None
    inner = claimed(root, 0x2000)
    assert release_region(root, 0x2000, PAGE) is inner
    assert root.children == [window]
