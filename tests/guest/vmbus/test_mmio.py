# SPDX-License-Identifier: MIT
"""The pool of MMIO addresses: always the lowest free place, whatever is remembered of it."""

from __future__ import annotations

from errno import ENXIO

from hypothesis import given, settings
from hypothesis import strategies as st

from guest.kernel.resource import Resource
from guest.kernel.sync import Mutex
from guest.vmbus.mmio import VmbusMmio
from tests.guest.vmbus.scripted_host import ScriptedHost

PAGE = 0x1000
RANGES = ((0, 12 * PAGE - 1), (64 * PAGE, 80 * PAGE - 1))
FRAMEBUFFER = (66 * PAGE, 67 * PAGE - 1)
FREE_PAGES = {*range(12), *range(64, 80)} - {66}
FREE = -1  # a step that gives back, in place of a size in pages

Step = tuple[int, int]  # pages and the logarithm of the alignment in pages; or FREE and which one


async def play(pool: VmbusMmio, steps: list[Step], starts: list[int | None]) -> None:
    """Allocate and free in turn; ``starts`` gets the page of each allocation."""
    held: list[Resource] = []
    for size, detail in steps:
        if size != FREE:
            error, taken = await pool.allocate(
                "test", minimum=0, maximum=1 << 63, size=size * PAGE, align=PAGE << detail
            )
            assert error == (0 if taken else -ENXIO)
            starts.append(None if taken is None else taken.start // PAGE)
            if taken is not None:
                held.append(taken)
        elif held:
            await pool.free(held.pop(detail % len(held)))
    assert pool.taken == len(held)


def places(steps: list[Step]) -> list[int | None]:
    """The page where each allocation lands; None where there is no room."""
    host = ScriptedHost()
    pool = VmbusMmio(Mutex(host.kernel, "hyperv_mmio_lock"), RANGES, FRAMEBUFFER)
    starts: list[int | None] = []
    host.kernel.spawn_thread("test", play(pool, steps, starts))
    host.engine.run()
    return starts


def first_fit(steps: list[Step]) -> list[int | None]:
    """The same, page by page as Linux's loop does it, with nothing remembered."""
    free = set(FREE_PAGES)
    held: list[range] = []
    starts: list[int | None] = []
    for size, detail in steps:
        if size == FREE:
            free.update(held.pop(detail % len(held)) if held else ())
            continue
        fits = (
            at for at in sorted(free) if not at % (1 << detail) and free >= {*range(at, at + size)}
        )
        start = next(fits, None)
        starts.append(start)
        if start is not None:
            held.append(range(start, start + size))
            free.difference_update(held[-1])
    return starts


def test_two_freed_neighbours_are_one_gap_for_a_request_of_both_sizes() -> None:
    steps = [(1, 0), (1, 0), (2, 0), (FREE, 0), (2, 0), (FREE, 0), (2, 0)]
    assert places(steps) == [0, 1, 2, 4, 0]


allocations = st.tuples(st.integers(1, 3), st.integers(0, 1))
frees = st.tuples(st.just(FREE), st.integers(0, 9))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(allocations | frees, min_size=10, max_size=60))
def test_what_is_remembered_never_changes_where_an_allocation_lands(steps: list[Step]) -> None:
    assert places(steps) == first_fit(steps)
