# SPDX-License-Identifier: MIT
"""Relations as they come in: a packet becomes a list that waits, and a work that will obey it.

Runs in the channel callback and must not sleep. What a list means is in ``relations``.
"""

from __future__ import annotations

from errno import ENOENT, ENOMEM
from typing import TYPE_CHECKING

from guest.events import MessageIgnored, RelationsQueued
from guest.kernel import ops
from guest.kernel.memory import GFP_ATOMIC
from guest.kernel.work import Work
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.pci_hyperv.device import HvPciDevDescription
from guest.pci_hyperv.relations import HvDrState, HvDrWork, Relations
from protocol.ids import SlotNumber

if TYPE_CHECKING:
    from protocol.vpci import PciBusRelations, PciBusRelations2


class RelationsInbox(Relations):
    """From the BUS_RELATIONS packet to queued work."""

    async def hv_pci_devices_present(self, hbus: HvPciBus, relations: PciBusRelations) -> None:
        """Take a list of version 1: it says nothing of NUMA."""
        func = tuple(
            HvPciDevDescription(
                f.v_id, f.d_id, f.rev, f.prog_intf, f.subclass, f.base_class, f.subsystem_id,
                SlotNumber(f.win_slot), f.ser,
            )
            for f in relations.func
        )  # fmt: skip
        await self._devices_present(hbus, func)

    async def hv_pci_devices_present2(self, hbus: HvPciBus, relations: PciBusRelations2) -> None:
        """Take a list of version 2, with flags and NUMA node."""
        func = tuple(
            HvPciDevDescription(
                f.v_id, f.d_id, f.rev, f.prog_intf, f.subclass, f.base_class, f.subsystem_id,
                SlotNumber(f.win_slot), f.ser, f.flags, f.virtual_numa_node,
            )
            for f in relations.func
        )  # fmt: skip
        await self._devices_present(hbus, func)

    async def _devices_present(self, hbus: HvPciBus, func: tuple[HvPciDevDescription, ...]) -> None:
        # Without memory the list is lost, and nobody asks for it again (open item O15).
        dr = await self.kernel.kzalloc(HvDrState, GFP_ATOMIC, func)
        if dr is None:
            return
        if await self.hv_pci_start_relations_work(hbus, dr):
            await self.kernel.kfree(dr)

    async def hv_pci_start_relations_work(self, hbus: HvPciBus, dr: HvDrState) -> int:
        """Queue a list for the worker; 0, -ENOENT while the bus is removed, or -ENOMEM.

        A list that finds another one waiting needs no work of its own: the work that is queued
        takes the newest (and so may overtake an eject queued in between, open item O1).
        """
        await ops.point(self.kernel, "hbus.state")
        if hbus.state is HvPciBusState.REMOVING:
            self.kernel.log("info", "PCI VMBus BUS_RELATIONS: ignored")
            self.kernel.emit(MessageIgnored(hbus.relid, "BUS_RELATIONS"))
            return -ENOENT
        dr_wrk = await self.kernel.kzalloc(HvDrWork, GFP_ATOMIC, hbus)
        if dr_wrk is None:
            return -ENOMEM
        work = Work("pci_devices_present_work", self.pci_devices_present_work, dr_wrk)
        dr_wrk.wrk = work
        await hbus.device_list_lock.lock_irqsave()
        pending_dr = self.another_waits(hbus)
        hbus.dr_list.add_tail(dr)
        self.kernel.emit(RelationsQueued(hbus.relid, len(dr.func), pending_dr))
        await hbus.device_list_lock.unlock_irqrestore()
        if pending_dr:
            await self.kernel.kfree(dr_wrk)
        else:
            await self.queue_work(hbus, work)
        return 0

    def another_waits(self, hbus: HvPciBus) -> bool:
        """Whether a work is queued already that will take the next list, too."""
        return not hbus.dr_list.empty()
