# SPDX-License-Identifier: MIT
"""NUMA nodes by number: which a kernel may have and which it has. Knows no CPU and no device.

A kernel may leave nodes of its VM offline: a crash kernel has neither their CPUs nor their memory,
and with ``numa=off`` there is one node for everything.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from guest.kernel.faults import NullDereference


class NumaNodes(NamedTuple):
    """``possible`` nodes, numbered from 0 (num_possible_nodes()); ``online`` ones, ascending."""

    possible: int = 1
    online: tuple[int, ...] = (0,)

    def map_to_online_node(self, node: int) -> int:
        """numa_map_to_online_node(): the node, or the nearest one that is online.

        Model: without a table of distances, as Hyper-V gives none, all others are equally far, and
        the first of them is taken (numa_nearest_node()).
        """
        return node if node in self.online else self.online[0]

    def node_data(self, node: int) -> int:
        """NODE_DATA(), where memory near a device is asked for: the node that it comes from.

        A negative ``node`` means any. An offline node has data, too, if it is possible (since 5.19:
        free_area_init()), and memory comes from another one then.
        """
        if node >= self.possible:
            raise NullDereference(f"NODE_DATA({node}) is NULL")
        return self.map_to_online_node(node)


ONE_NODE: Final = NumaNodes()
