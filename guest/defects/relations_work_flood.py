# SPDX-License-Identifier: MIT
"""Every list queued a work of its own, although one work takes all lists that wait.

948373b3ed1b (the id is a guess) queues a work only if none is waiting. Since then a list can
overtake an eject that was queued before it (open item O1).
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.relations_inbox import RelationsInbox


class AlwaysQueues(RelationsInbox):
    """hv_pci_start_relations_work() that does not look whether a list waits already."""

    def another_waits(self, hbus: HvPciBus) -> bool:
        return False


DEFECT = Defect(
    id="relations-work-flood",
    subject="PCI: hv: Only queue new work items in hv_pci_devices_present() if necessary",
    commit="948373b3ed1b",
    commit_check="unconfirmed",
    cls="A",
    fixed="2018-03 / v4.17",
    scenario="relations-repeated",
    expect=None,
    why=(
        "An optimisation: a work that finds no list left just ends. Inferred from the code of 6.12,"
        " the diff was not read. Commit unconfirmed."
    ),
    mixins=(Mixin("driver", AlwaysQueues),),
)
