# SPDX-License-Identifier: MIT
"""The relations work completed an event on a stack that its waiter had left.

hv_pci_query_relations() parks the address of a completion on its stack and waits. When the channel
is rescinded it gives up, while the work that will complete the event may be queued or running.
440b5e366327 flushes the queue before it returns.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.relations import Relations


class NoFlush(Relations):
    """hv_pci_query_relations() without flush_workqueue()."""

    async def flush_relations(self, hbus: HvPciBus) -> None:
        pass


DEFECT = Defect(
    id="query-relations-stack-completion",
    subject="PCI: hv: Fix a race condition bug in hv_pci_query_relations()",
    commit="440b5e366327",
    commit_check="verified",
    cls="A",
    fixed="2023-06 / v6.4",
    scenario="rescind-during-query",
    expect="dead-stack",
    why="The work calls complete() on a frame that has returned; read in the code of 6.12.",
    mixins=(Mixin("driver", NoFlush),),
    edits=(Drop("hv_pci_query_relations", ("flush_workqueue",)),),
)
