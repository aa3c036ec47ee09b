# SPDX-License-Identifier: MIT
"""The pool of MMIO addresses: always the lowest free place, whatever is remembered of it."""

from __future__ import annotations

from errno import ENXIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guest.kernel.resource import IORESOURCE_BUSY, Resource
from guest.vmbus.mmio import VmbusMmio, vmbus_walk_resources
from tests.guest.vmbus.scripted_host import ScriptedHost

MIB = 0x10_0000  # the least that is kept for a framebuffer
RANGES = ((0, 12 * MIB - 1), (64 * MIB, 80 * MIB - 1))
FRAMEBUFFER = (2 * MIB, 3 * MIB - 1)
FREE_MIB = {*range(12), *range(64, 80)} - {2}
FREE = -1  # a step that gives back, in place of a size in MiB

Step = tuple[int, int]  # MiB and the logarithm of the alignment in MiB; or FREE and which one


async def play(pool: VmbusMmio, steps: list[Step], starts: list[int | None]) -> None:
    """Allocate and free in turn; ``starts`` gets the MiB of each allocation."""
    held: list[Resource] = []
    for size, detail in steps:
        if size != FREE:
            error, taken = await pool.allocate(
                "test", minimum=0, maximum=1 << 63, size=size * MIB, align=MIB << detail
            )
            assert error == (0 if taken else -ENXIO)
            starts.append(None if taken is None else taken.start // MIB)
            if taken is not None:
                held.append(taken)
        elif held:
            await pool.free(held.pop(detail % len(held)))
    assert pool.taken == len(held)


def places(steps: list[Step]) -> list[int | None]:
    """The MiB where each allocation lands; None where there is no room."""
    host = ScriptedHost()
    pool = VmbusMmio(host.kernel, RANGES, FRAMEBUFFER)
    starts: list[int | None] = []
    host.kernel.spawn_thread("test", play(pool, steps, starts))
    host.engine.run()
    return starts


def first_fit(steps: list[Step]) -> list[int | None]:
    """The same, MiB by MiB as Linux's loop does it, with nothing remembered."""
    free = set(FREE_MIB)
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
    assert places(steps) == [0, 1, 3, 5, 0]


allocations = st.tuples(st.integers(1, 3), st.integers(0, 1))
frees = st.tuples(st.just(FREE), st.integers(0, 9))


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(allocations | frees, min_size=10, max_size=60))
def test_what_is_remembered_never_changes_where_an_allocation_lands(steps: list[Step]) -> None:
    assert places(steps) == first_fit(steps)


def pool_of(*ranges: tuple[int, int], framebuffer: tuple[int, int] | None = None) -> VmbusMmio:
    return VmbusMmio(ScriptedHost().kernel, ranges, framebuffer)


@pytest.mark.parametrize(
    ("named", "made"),
    [
        ([(8, 9), (0, 3)], [(0, 3), (8, 9)]),
        ([(0, 3), (4, 7)], [(0, 7)]),
        ([(0xF800_0000, 0xFFFB_FFFF)], [(0xF800_0000, 0xFED3_FFFF)]),
        ([(0xFED4_0000, 0xFED4_FFFF)], [(0xFED4_0000, 0xFED4_FFFF)]),
    ],
    ids=["in order", "merged", "cut at the virtual TPM", "behind it"],
)
def test_what_linux_makes_of_the_ranges_that_acpi_names(
    named: list[tuple[int, int]], made: list[tuple[int, int]]
) -> None:
    assert vmbus_walk_resources(named) == made


@pytest.mark.parametrize(
    ("framebuffer", "kept"),
    [
        ((0, 8 * MIB - 1), 8),
        ((10 * MIB, 18 * MIB - 1), 2),  # halved until it fits
        ((12 * MIB - 0x1000, 13 * MIB - 1), 0),  # and given up below 1 MiB
        ((64 * MIB, 65 * MIB - 1), 0),  # in another range
        (None, 0),
    ],
)
def test_a_framebuffer_is_kept_in_the_lowest_range_alone(
    framebuffer: tuple[int, int] | None, kept: int
) -> None:
    reserved = pool_of(*RANGES, framebuffer=framebuffer).fb_mmio
    assert (reserved.size if reserved else 0) == kept * MIB


def test_a_vm_without_ranges_keeps_nothing_and_gives_nothing() -> None:
    pool = pool_of(framebuffer=FRAMEBUFFER)
    assert pool.fb_mmio is None
    assert pool.ranges == []


def test_what_the_kernel_has_elsewhere_in_the_range_is_passed_by() -> None:
    host = ScriptedHost()
    had = {"IOAPIC 0": (0xFEC0_0000, 0xFEC0_03FF)}
    pool = VmbusMmio(host.kernel, [(0xFEC0_0000, 0xFEC0_3FFF)], None, had)
    found: list[tuple[int, Resource | None]] = []

    async def take() -> None:
        found.append(
            await pool.allocate("test", minimum=0, maximum=1 << 32, size=0x1000, align=0x1000)
        )

    host.kernel.spawn_thread("test", take())
    host.engine.run()
    ((error, taken),) = found
    assert error == 0
    assert taken is not None
    assert taken.start == 0xFEC0_1000  # behind the I/O APIC


def test_a_range_that_is_not_busy_when_it_is_given_back_stays_in_the_tree_of_all() -> None:
    host = ScriptedHost()
    pool = VmbusMmio(host.kernel, RANGES, None)
    starts: list[int] = []

    async def take_twice() -> None:
        for _ in range(2):
            _, taken = await pool.allocate("test", minimum=0, maximum=1 << 32, size=MIB, align=MIB)
            assert taken is not None
            starts.append(taken.start)
            taken.flags &= ~IORESOURCE_BUSY
            await pool.free(taken)

    host.kernel.spawn_thread("test", take_twice())
    host.engine.run()
    assert starts == [0, 0]  # one inside the other
    assert pool.taken == 2
    assert [held.children for held in pool.ranges] == [[], []]
    assert "nonexistent" in host.kernel.log_lines[-1][-1]
