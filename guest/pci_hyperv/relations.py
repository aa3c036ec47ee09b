# SPDX-License-Identifier: MIT
"""Relations: the host's list of functions, queued in the callback and obeyed by the worker.

A list is the whole truth: what it omits is gone. Only the newest of several queued lists counts.
Knows neither configuration space nor interrupts.
"""

from __future__ import annotations

from errno import ENOENT, ENOMEM, ENOTEMPTY
from typing import TYPE_CHECKING, ClassVar

from guest.events import ChildRemoved, MessageIgnored, RelationsProcessed, RelationsQueued
from guest.kernel import ops
from guest.kernel.memory import GFP_ATOMIC, Allocated, ListHead, ListNode
from guest.kernel.sync import Completion
from guest.kernel.work import Work
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.device import HvPciDev, HvPciDevDescription
from guest.pci_hyperv.root_bus import RootBus
from guest.pci_hyperv.windows import Windows
from protocol.ids import SlotNumber
from protocol.vpci import MessageType, PciMessage

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice
    from protocol.vpci import PciBusRelations, PciBusRelations2


class HvDrState(Allocated):
    """``struct hv_dr_state``: one list that waits for the worker."""

    __slots__ = ("func", "list_entry")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("list_entry",)

    def __init__(self, func: tuple[HvPciDevDescription, ...]) -> None:
        self.func = func
        self.list_entry = ListNode(self)


class HvDrWork(Allocated):
    """``struct hv_dr_work``: the work item; it is freed by the work itself."""

    __slots__ = ("bus", "wrk")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("wrk",)

    def __init__(self, bus: HvPciBus) -> None:
        self.bus = bus
        self.wrk: Work | None = None


class Relations(Windows, RootBus):
    """From the BUS_RELATIONS packet to children that agree with it."""

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
        pending_dr = not hbus.dr_list.empty()
        hbus.dr_list.add_tail(dr)
        self.kernel.emit(RelationsQueued(hbus.relid, len(dr.func), pending_dr))
        await hbus.device_list_lock.unlock_irqrestore()
        if pending_dr:
            await self.kernel.kfree(dr_wrk)
        else:
            await self.queue_work(hbus, work)
        return 0

    async def pci_devices_present_work(self, work: Work) -> None:
        """Work item: make the children agree with the newest list."""
        dr_wrk = work.owner
        assert isinstance(dr_wrk, HvDrWork)
        hbus = dr_wrk.bus
        await self.kernel.kfree(dr_wrk)
        dr = await self.take_newest_relations(hbus)
        if dr is None:
            return

        await hbus.state_lock.lock()
        await self.mark_all_missing(hbus)
        for desc in dr.func:
            if await self.unmark_reported(hbus, desc):
                continue
            if await self.new_pcichild_device(hbus, desc) is None:
                self.kernel.log("err", "couldn't record a child device")
        removed = await self.collect_missing(hbus)
        await self.delete_missing(removed)
        self.kernel.emit(RelationsProcessed(hbus.relid, len(dr.func)))
        await self.announce_relations(hbus)
        await hbus.state_lock.unlock()
        await self.kernel.kfree(dr)

    async def take_newest_relations(self, hbus: HvPciBus) -> HvDrState | None:
        """Empty the queue of lists; all but the last are thrown away."""
        newest: HvDrState | None = None
        await hbus.device_list_lock.lock_irqsave()
        while not hbus.dr_list.empty():
            newest = hbus.dr_list.first()
            hbus.dr_list.delete(newest)
            if not hbus.dr_list.empty():
                await self.kernel.kfree(newest)
        await hbus.device_list_lock.unlock_irqrestore()
        return newest

    async def mark_all_missing(self, hbus: HvPciBus) -> None:
        """Every function is missing until the list mentions it."""
        await hbus.device_list_lock.lock_irqsave()
        for hpdev in hbus.children:
            hpdev.reported_missing = True
        await hbus.device_list_lock.unlock_irqrestore()

    async def unmark_reported(self, hbus: HvPciBus, desc: HvPciDevDescription) -> bool:
        """Whether the function of this entry is known already; if so it is not missing."""
        found = False
        identity = desc.identity
        await hbus.device_list_lock.lock_irqsave()
        for hpdev in hbus.children:
            if hpdev.desc.identity == identity:
                hpdev.reported_missing = False
                found = True
        await hbus.device_list_lock.unlock_irqrestore()
        return found

    async def collect_missing(self, hbus: HvPciBus) -> ListHead[HvPciDev]:
        """Move the missing functions to a private list, dropping the bus's reference to each."""
        removed: ListHead[HvPciDev] = ListHead("removed")
        await hbus.device_list_lock.lock_irqsave()
        for hpdev in hbus.children:
            if hpdev.reported_missing:
                await self.put_pcichild(hpdev)
                hbus.children.move_tail(hpdev, removed)
        await hbus.device_list_lock.unlock_irqrestore()
        return removed

    async def delete_missing(self, removed: ListHead[HvPciDev]) -> None:
        """Give up the functions that no longer exist.

        Their pci_dev, if there is one, stays on the bus: a scan never removes any (open item O16).
        """
        while not removed.empty():
            hpdev = removed.first()
            removed.delete(hpdev)
            desc = hpdev.desc
            self.kernel.emit(ChildRemoved(hpdev.relid, desc.win_slot, desc.ser, "relations"))
            await self.destroy_child_slot(hpdev)
            await self.put_pcichild(hpdev)

    async def announce_relations(self, hbus: HvPciBus) -> None:
        """Tell whoever depends on the children: the PCI core once there is a bus, else probe."""
        if hbus.state is HvPciBusState.INSTALLED:
            await self.rescan_root_bus(hbus)
        elif hbus.state is not HvPciBusState.REMOVING:
            await self.survey_child_resources(hbus)

    async def hv_pci_query_relations(self, hdev: HvDevice) -> int:
        """Ask for the list and wait until the worker has dealt with it.

        -ENOTEMPTY if somebody waits already, -ENODEV after a rescind, or what sending returned.
        """
        hbus = hv_get_drvdata(hdev)
        frame = self.kernel.stack_frame("hv_pci_query_relations")
        comp = frame.own(Completion(self.kernel, "survey_event"))
        await ops.point(self.kernel, "hbus.survey_event")
        if hbus.survey_event is not None:
            frame.leave()
            return -ENOTEMPTY
        hbus.survey_event = comp
        message = PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS)
        ret = await self.send_message(hdev.channel, message.build())
        if not ret:
            ret = await self.wait_for_response(hdev, comp)
        await self.flush_relations(hbus)
        frame.leave()
        return ret

    async def flush_relations(self, hbus: HvPciBus) -> None:
        """Let queued works finish before the caller's stack dies: they may complete its event.

        After a rescind no new ones can come, since the callback was reset first
        (vmbus_reset_channel_cb()).
        """
        await self.wq_of(hbus).flush()
