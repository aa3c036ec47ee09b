# SPDX-License-Identifier: MIT
"""Slots were destroyed after the root bus that they refer to.

15becc2b56c6 had put hv_pci_remove_slots() behind pci_remove_root_bus(); 533ca1feed98 moved it
between stopping and removing the bus.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_core.subsystem import PciSubsystem
from guest.pci_core.types import PciBus, PciSlot
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.root_bus import RootBus


class SlotsAfterBus(RootBus):
    """hv_pci_remove_slots() behind pci_remove_root_bus()."""

    async def remove_root_bus(self, hbus: HvPciBus) -> None:
        bus = self.root_bus_of(hbus)
        await self.pci_lock_rescan_remove()
        await self.pci.stop_root_bus(bus)
        await self.pci.remove_root_bus(bus)
        await self.pci_unlock_rescan_remove()
        await self.hv_pci_remove_slots(hbus)


class SlotsHoldNoBus(PciSubsystem):
    """A slot that only points to its bus, as before Linux 6.13 (and its stable backports)."""

    async def create_slot(self, bus: PciBus, slot_nr: int, name: str) -> PciSlot | None:
        slot = await super().create_slot(bus, slot_nr, name)
        if slot is not None and slot.refs.value == 1:
            bus.refs.put()
        return slot

    async def destroy_slot(self, slot_: PciSlot) -> None:
        if slot_.refs.value == 1:
            slot_.bus.refs.get()  # for the one that pci_slot_release() of 6.12 gives back
        await super().destroy_slot(slot_)


DEFECT = Defect(
    id="slots-removed-after-bus",
    subject=(
        "PCI: hv: Avoid use of hv_pci_dev->pci_slot after freeing it"
        " (review title: Fix panic by calling hv_pci_remove_slots() earlier)"
    ),
    commit="533ca1feed98",
    commit_check="verified",
    cls="A",
    fixed="2019-08 / v5.3-5.4",
    scenario="unload",
    expect="use-after-free",
    why=(
        "pci_destroy_slot() follows slot->bus to a bus that is gone. Slots of that time held no"
        " reference to their bus; they do in 6.12, so that is taken back as well."
    ),
    mixins=(Mixin("driver", SlotsAfterBus), Mixin("pci", SlotsHoldNoBus)),
    bred_by="slots-not-removed-on-unload",
    why_model_only=(
        "In the real driver's kernel drivers/pci/slot.c takes that reference, which no edit of the"
        " driver takes back."
    ),
)
