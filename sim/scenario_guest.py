# SPDX-License-Identifier: MIT
"""The ``[guest]`` of a scenario: what its keys must be to one another.

What each may be alone is the grammar's; knows nothing of making a guest.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from guest.vmbus.mmio import MMIO_RANGES
from sim.scenario import GuestSpec
from sim.scenario_grammar import TABLES
from sim.scenario_tables import TableReader


def read_guest(tables: TableReader, raw: object) -> GuestSpec:
    """The guest that a file's table describes. Raises ScenarioError."""
    values = tables.table(raw, "guest", TABLES["guest"])
    offered = values["protocol"]
    if list(offered) != sorted(set(offered), reverse=True):
        raise tables.fail("guest.protocol", "must be written highest first, each once")
    numbers = values["vp_numbers"] or tuple(range(values["vcpus"]))
    if len(set(numbers)) != len(numbers) or len(numbers) != values["vcpus"]:
        raise tables.fail("guest.vp_numbers", "must be one number for each vCPU, all different")
    _check_nodes(tables, values)
    ranges = values["mmio"] and tuple(sorted(values["mmio"]))
    _check_ranges(tables, ranges or ())
    _check_framebuffer(tables, MMIO_RANGES if ranges is None else ranges, values["framebuffer"])
    return GuestSpec(**{**values, "vp_numbers": numbers, "mmio": ranges})


def _check_nodes(tables: TableReader, values: Mapping[str, Any]) -> None:
    """A kernel has a node that is online, and knows no others with numa=off."""
    nodes, offline = values["numa_nodes"], values["offline_nodes"]
    if offline and not values["numa"]:
        raise tables.fail("guest.offline_nodes", "numa = false knows one node; drop one key")
    if max(offline, default=0) >= nodes or len(set(offline)) != len(offline):
        raise tables.fail("guest.offline_nodes", f"nodes are numbered 0 to {nodes - 1}")
    if len(offline) >= nodes:
        raise tables.fail("guest.offline_nodes", "must leave a node online")


def _check_ranges(tables: TableReader, ranges: tuple[tuple[int, int], ...]) -> None:
    """Ranges of addresses, ascending, do not overlap."""
    for lower, upper in pairwise(ranges):
        if upper[0] <= lower[1]:
            told = f"{upper[0]:#x} is in the range before it; ranges must not overlap"
            raise tables.fail("guest.mmio", told)


def _check_framebuffer(
    tables: TableReader,
    ranges: tuple[tuple[int, int], ...],
    framebuffer: tuple[int, int] | None,
) -> None:
    """A framebuffer is where Linux finds it."""
    if framebuffer is None:
        return
    if not any(first <= framebuffer[0] <= last for first, last in ranges[:1]):
        told = "must begin in the lowest range of mmio: Linux keeps it nowhere else"
        raise tables.fail("guest.framebuffer", told)
