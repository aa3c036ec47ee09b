# SPDX-License-Identifier: MIT
"""Relations: the host's list of functions, queued in the callback and obeyed by the worker.

A list is the whole truth: what it omits is gone. Only the newest of several queued lists counts.
Knows neither configuration space nor interrupts.
"""

from __future__ import annotations

from errno import ENOTEMPTY
from typing import TYPE_CHECKING, ClassVar

from guest.events import ChildRemoved, RelationsProcessed
from guest.kernel import ops
from guest.kernel.lists import ListHead, ListNode
from guest.kernel.memory import Allocated
from guest.kernel.sync import Completion
from guest.kernel.work import Work
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.device import HvPciDev, HvPciDevDescription
from guest.pci_hyperv.messages import bus_message
from guest.pci_hyperv.root_bus import RootBus
from guest.pci_hyperv.windows import Windows
from protocol.vpci import MessageType

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice


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
    """From a list to children that agree with it."""

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
        while True:  # from the first again after each, since no walk survives the move
            hpdev = next((child for child in hbus.children if child.reported_missing), None)
            if hpdev is None:
                break
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
        message = bus_message(MessageType.PCI_QUERY_BUS_RELATIONS)
        ret = await self.send_message(hdev.channel, message)
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
