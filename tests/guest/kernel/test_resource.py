# SPDX-License-Identifier: MIT
"""The resource tree."""

from __future__ import annotations

from errno import EBUSY, EINVAL

from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.resource import (
    IORESOURCE_MEM,
    IORESOURCE_MEM_64,
    IORESOURCE_UNSET,
    Resource,
)


def tree(start: int = 0x1000, end: int = 0xFFFF) -> Resource:
    return Resource(start, end, IORESOURCE_MEM, "root")


def test_the_lowest_gap_that_fits_is_taken() -> None:
    root = tree()
    first, second, third = Resource(), Resource(), Resource()
    assert root.allocate(first, 0x1000, align=0x1000) == 0
    assert root.allocate(second, 0x4000, align=0x4000) == 0
    assert root.allocate(third, 0x1000, align=0x1000) == 0
    assert (first.start, second.start, third.start) == (0x1000, 0x4000, 0x2000)


def test_bounds_are_inclusive_at_both_ends() -> None:
    root = tree()
    res = Resource()
    assert root.allocate(res, 0x1000, minimum=0x8000, maximum=0x8FFE) == -EBUSY
    assert root.allocate(res, 0x1000, minimum=0x8000, maximum=0x8FFF) == 0
    assert (res.start, res.end, res.size) == (0x8000, 0x8FFF, 0x1000)


def test_a_conflict_names_what_is_in_the_way() -> None:
    root = tree()
    taken = Resource(0x2000, 0x2FFF, IORESOURCE_MEM, "taken")
    assert root.request(taken) is None
    assert root.request(Resource(0x2FFF, 0x3000)) is taken
    assert root.request(Resource(0x1FFF, 0x2000)) is taken
    assert root.request(Resource(0x0, 0x10)) is root


def test_a_released_range_is_free_again() -> None:
    root = tree()
    res = Resource(0x2000, 0x2FFF)
    assert root.request(res) is None
    assert res.release() == 0
    assert res.release() == -EINVAL
    assert root.request(Resource(0x2000, 0x2FFF)) is None


def test_a_resource_reads_as_the_kernel_prints_it() -> None:
    res = Resource(0x1000_0000, 0x1000_3FFF, IORESOURCE_MEM | IORESOURCE_MEM_64)
    assert res.describe() == "[mem 0x10000000-0x10003fff 64bit]"
    res.flags |= IORESOURCE_UNSET
    assert res.describe() == "[mem size 0x00004000 64bit]"


@given(st.lists(st.tuples(st.integers(0, 6), st.booleans()), max_size=40))
def test_children_never_overlap_and_stay_aligned(orders: list[tuple[int, bool]]) -> None:
    root = tree(0x100, 0x4FF)
    held: list[Resource] = []
    for order, let_go in orders:
        if let_go and held:
            assert held.pop(order % len(held)).release() == 0
            continue
        res = Resource()
        if root.allocate(res, 1 << order, align=1 << order) == 0:
            assert res.start % (1 << order) == 0
            held.append(res)
        else:
            assert not _fits(root, 1 << order)
    assert root.children == sorted(held, key=lambda res: res.start)
    ends = [child.end for child in root.children]
    starts = [child.start for child in root.children]
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))


def _fits(root: Resource, size: int) -> bool:
    """Whether any aligned range is free, the slow way."""
    taken = [(child.start, child.end) for child in root.children]
    return any(
        all(start + size - 1 < low or high < start for low, high in taken)
        for start in range(-(-root.start // size) * size, root.end - size + 2, size)
    )
