# SPDX-License-Identifier: MIT
"""A bus that was being removed still called itself installed.

Nothing told the callback or the relations work that the root bus had gone, so that a late list
rescanned it. d3a78d8bf759 (the id is a guess) brought the state that says so.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Force
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.remove import Remove
from guest.vmbus.channel import HvDevice


class StateStays(Remove):
    """hv_pci_remove() that neither writes ``hbus->state`` nor shuts the callback out to do it."""

    async def forbid_new_work(self, hdev: HvDevice, hbus: HvPciBus) -> None:
        pass


DEFECT = Defect(
    id="bus-remove-state-missing",
    subject="PCI: hv: Properly handle PCI bus remove",
    commit="d3a78d8bf759",
    commit_check="unconfirmed",
    cls="A",
    fixed="2016-09 / v4.9",
    scenario="eject-during-unload",
    expect="null-dereference",
    why=(
        "A late message is queued as if nothing had happened. In 6.12 the queue goes before the"
        " root bus, so it is the queue that is missing, not the bus. Commit unconfirmed."
    ),
    mixins=(Mixin("driver", StateStays),),
    edits=(
        Force("hv_pci_eject_device", ("hv_pcibus_removing",)),
        Force("hv_pci_start_relations_work", ("hv_pcibus_removing",)),
    ),
)
