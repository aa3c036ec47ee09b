# SPDX-License-Identifier: MIT
"""Spreading vectors over CPUs: kernel/irq/affinity.c and lib/group_cpus.c. Pure functions.

CPU masks are ints, bit n for CPU n; ``nodes`` is the mask of each NUMA node.
Model: every CPU is present and online when vectors are spread, and no two are siblings.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from guest.kernel.irq import IrqAffinity
from guest.kernel.vector_matrix import cpus_of


class AffinityRequest(NamedTuple):
    """struct irq_affinity: vectors before and after the spread ones keep the default mask."""

    pre_vectors: int = 0
    post_vectors: int = 0


def irq_calc_affinity_vectors(minimum: int, maximum: int, cpus: int, affd: AffinityRequest) -> int:
    """How many vectors make sense: one per CPU and the unmanaged ones; 0 if too few are asked."""
    unmanaged = affd.pre_vectors + affd.post_vectors
    if unmanaged > minimum:
        return 0
    return unmanaged + min(cpus, maximum - unmanaged)


def irq_create_affinity_masks(
    vectors: int, nodes: Sequence[int], affd: AffinityRequest
) -> list[IrqAffinity] | None:
    """One affinity per vector, managed except the pre and post ones; None if none is to spread."""
    spread = vectors - affd.pre_vectors - affd.post_vectors
    if spread <= 0:
        return None
    everywhere = 0
    for node in nodes:
        everywhere |= node
    default = IrqAffinity(everywhere, managed=False)
    groups = [IrqAffinity(mask, managed=True) for mask in group_cpus_evenly(spread, nodes)]
    return [default] * affd.pre_vectors + groups + [default] * affd.post_vectors


def group_cpus_evenly(groups: int, nodes: Sequence[int]) -> list[int]:
    """Masks of ``groups`` groups that share all CPUs out, node by node."""
    populated = [mask for mask in nodes if mask]
    masks = [0] * groups
    if groups <= len(populated):
        for index, mask in enumerate(populated):
            masks[index % groups] |= mask
        return masks
    current = 0
    for mask, count in _alloc_nodes_groups(groups, populated):
        cpus = cpus_of(mask)
        per_group, extra = divmod(len(cpus), count)
        for _ in range(count):
            take = per_group + (1 if extra else 0)
            extra -= 1 if extra else 0
            for cpu in cpus[:take]:
                masks[current] |= 1 << cpu
            del cpus[:take]
            current += 1
    return masks


def _alloc_nodes_groups(groups: int, nodes: list[int]) -> list[tuple[int, int]]:
    """(node mask, its share of the groups), smallest node first so that none gets nothing."""
    remaining = sum(mask.bit_count() for mask in nodes)
    groups = min(groups, remaining)
    shares = []
    for mask in sorted(nodes, key=int.bit_count):
        cpus = mask.bit_count()
        share = max(1, groups * cpus // remaining)
        shares.append((mask, share))
        remaining -= cpus
        groups -= share
    return shares
