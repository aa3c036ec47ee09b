# SPDX-License-Identifier: MIT
"""Spreading vectors over CPUs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from guest.kernel.irq_affinity import (
    AffinityRequest,
    group_cpus_evenly,
    irq_calc_affinity_vectors,
    irq_create_affinity_masks,
)

PLAIN = AffinityRequest()


def test_as_many_vectors_as_cpus_get_one_cpu_each() -> None:
    assert group_cpus_evenly(4, [0b1111]) == [1, 2, 4, 8]


def test_fewer_vectors_share_the_cpus_and_the_first_get_the_rest() -> None:
    assert group_cpus_evenly(2, [0b11111]) == [0b00111, 0b11000]


def test_fewer_vectors_than_nodes_take_whole_nodes_in_turn() -> None:
    assert group_cpus_evenly(2, [0b000011, 0b001100, 0b110000]) == [0b110011, 0b001100]


def test_the_smaller_node_is_served_first_so_that_it_gets_something() -> None:
    masks = group_cpus_evenly(3, [0b0111_1111, 0b1000_0000])
    assert masks[0] == 0b1000_0000
    assert masks[1] | masks[2] == 0b0111_1111


def test_vectors_beside_the_spread_ones_keep_the_default_mask() -> None:
    masks = irq_create_affinity_masks(3, [0b11], AffinityRequest(pre_vectors=1))
    assert masks is not None
    assert [(m.mask, m.managed) for m in masks] == [(0b11, False), (0b01, True), (0b10, True)]


def test_nothing_to_spread_is_said_so() -> None:
    assert irq_create_affinity_masks(1, [0b11], AffinityRequest(pre_vectors=1)) is None


def test_more_vectors_than_cpus_make_no_sense() -> None:
    assert irq_calc_affinity_vectors(1, 64, 4, PLAIN) == 4
    assert irq_calc_affinity_vectors(1, 64, 4, AffinityRequest(pre_vectors=1)) == 5
    assert irq_calc_affinity_vectors(1, 8, 4, AffinityRequest(pre_vectors=2)) == 0


@given(st.integers(1, 40), st.lists(st.integers(1, 9), min_size=1, max_size=4))
def test_every_cpu_is_in_exactly_one_group(groups: int, sizes: list[int]) -> None:
    nodes, base = [], 0
    for size in sizes:
        nodes.append(((1 << size) - 1) << base)
        base += size
    masks = group_cpus_evenly(groups, nodes)
    assert len(masks) == groups
    assert sum(masks) == (1 << base) - 1
    assert sum(mask.bit_count() for mask in masks) == base
    if groups <= base:
        assert all(masks)
