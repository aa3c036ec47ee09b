# SPDX-License-Identifier: MIT
"""Regions: parts of the resource tree that somebody keeps busy. Knows no owner, never suspends.

Follows __request_region() and __release_region() of kernel/resource.c. Addresses and sizes in
bytes.
"""

from __future__ import annotations

from bisect import bisect_right
from operator import attrgetter

from guest.kernel.resource import IORESOURCE_BUSY, IORESOURCE_TYPE_BITS, Resource

_by_start = attrgetter("start")


def request_region(parent: Resource, start: int, size: int, name: str) -> Resource | None:
    """__request_region(): a busy child of ``parent``, or None where something is in the way.

    What is in the way and not busy is gone into: a window, or what was left of one.
    """
    new = Resource(start, start + size - 1, 0, name)
    while True:
        new.flags = parent.flags & IORESOURCE_TYPE_BITS | IORESOURCE_BUSY
        conflict = parent.request(new)
        if conflict is None:
            return new
        if conflict is parent or conflict.flags & IORESOURCE_BUSY:
            return None
        parent = conflict


def release_region(parent: Resource, start: int, size: int) -> Resource | None:
    """__release_region(): unlink the busy region of just these addresses, and return it.

    None if there is no such region. One that is not busy is not found: it is looked into instead.
    """
    end = start + size - 1
    children = parent.children
    while True:
        index = bisect_right(children, start, key=_by_start) - 1
        if index < 0 or children[index].end < end:
            return None
        res = children[index]
        if res.flags & IORESOURCE_BUSY:
            break
        children = res.children
    if (res.start, res.end) != (start, end):
        return None
    res.release()
    return res
