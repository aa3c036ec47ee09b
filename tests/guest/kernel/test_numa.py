# SPDX-License-Identifier: MIT
"""NUMA nodes that a kernel may have, and those that it has."""

from __future__ import annotations

import pytest

from guest.kernel.faults import NullDereference
from guest.kernel.numa import ONE_NODE, NumaNodes


def test_a_node_that_is_online_is_taken_as_it_is() -> None:
    nodes = NumaNodes(4, (1, 3))
    assert [nodes.map_to_online_node(node) for node in (1, 3)] == [1, 3]


def test_for_a_node_that_is_offline_the_first_one_online_is_taken() -> None:
    nodes = NumaNodes(4, (1, 3))
    assert [nodes.map_to_online_node(node) for node in (0, 2)] == [1, 1]


def test_memory_near_a_device_comes_from_a_node_that_is_online() -> None:
    nodes = NumaNodes(3, (1, 2))
    assert [nodes.node_data(node) for node in (-1, 0, 1, 2)] == [1, 1, 1, 2]


def test_a_node_beyond_those_that_are_possible_has_no_data() -> None:
    with pytest.raises(NullDereference, match=r"NODE_DATA\(3\)"):
        NumaNodes(3, (0, 1)).node_data(3)


def test_a_kernel_without_numa_has_one_node() -> None:
    assert ONE_NODE.possible == 1
    assert ONE_NODE.node_data(-1) == 0
