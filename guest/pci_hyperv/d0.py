# SPDX-License-Identifier: MIT
"""The bus's power state and its functions' resources, as the host's state machine sees them.

Enter D0, tell of assigned resources, release them, leave D0. Knows no PCI enumeration.
"""

from __future__ import annotations

from errno import ENOMEM, EPROTO, ETIMEDOUT
from typing import TYPE_CHECKING

from guest.events import (
    ChildRemoved,
    D0Entered,
    D0Left,
    FunctionReturned,
    ResourcesAssigned,
    ResourcesReleased,
)
from guest.kernel import ops
from guest.kernel.memory import GFP_KERNEL, ListHead
from guest.pci_hyperv.bus import HvPciBus, hv_get_drvdata
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from guest.pci_hyperv.root_bus import RootBus
from protocol.ids import Gpa, SlotNumber
from protocol.vpci import MessageType, PciBusD0Entry, PciChildMessage, PciMessage

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice

D0_EXIT_TIMEOUT_MS = 10_000  # hv_pci_bus_exit(): 10 * HZ
ALL_SLOTS = 256
HIGHEST_SLOT = 255  # a kdump kernel does not know what its predecessor assigned: release them all
NO_SLOT = -1


class D0(RootBus):
    """Conversations about the whole bus."""

    async def hv_pci_enter_d0(self, hdev: HvDevice) -> int:
        """Bring the bus into D0: 0, -EPROTO if the host refuses twice, or -errno.

        A refusal is taken for resources that an earlier kernel left assigned (kdump): all are
        released, and D0 is tried once more.
        """
        hbus = hv_get_drvdata(hdev)
        ret, status = await self._request_d0(hdev, hbus)
        if not ret and status < 0 and await self.release_before_retry(hdev, hbus) == 0:
            ret, status = await self._request_d0(hdev, hbus)
        if not ret and status < 0:
            self.kernel.log("err", f"PCI pass-through VSP failed D0 entry with status {status:x}")
            ret = -EPROTO
        if ret:
            self.kernel.emit(FunctionReturned(hbus.relid, "hv_pci_enter_d0", ret))
        else:
            assert hbus.mem_config is not None
            self.kernel.emit(D0Entered(hbus.relid, Gpa(hbus.mem_config.start)))
        return ret

    async def release_before_retry(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        """Release every slot's resources and leave D0; 0 if that went well."""
        self.kernel.log("err", "retrying D0 entry")
        hbus.wslot_res_allocated = HIGHEST_SLOT
        ret = await self.hv_pci_bus_exit(hdev, keep_devs=True)
        if ret:
            self.kernel.log("err", f"retrying D0 failed with ret {ret}")
        return ret

    async def _request_d0(self, hdev: HvDevice, hbus: HvPciBus) -> tuple[int, int]:
        """One D0 entry: (0 or -errno, the host's status)."""
        packet = await self.kernel.kzalloc(PciPacket, GFP_KERNEL, self.hv_pci_generic_compl, None)
        if packet is None:
            return -ENOMEM, 0
        frame = self.kernel.stack_frame("hv_pci_enter_d0")
        comp_pkt = frame.own(HvPciCompl(self.kernel))
        packet.compl_ctxt = comp_pkt
        assert hbus.mem_config is not None
        request = PciBusD0Entry(mmio_base=hbus.mem_config.start)
        ret = await self.send_request(hdev.channel, request.build(), packet)
        if not ret:
            ret = await self.wait_for_response(hdev, comp_pkt.host_event)
        status = comp_pkt.completion_status
        await self.kernel.kfree(packet)
        frame.leave()
        return ret, status

    def next_child_slot(self, hbus: HvPciBus, slots: range) -> SlotNumber | None:
        """The first of ``slots`` that holds a function, or None.

        Model: Linux looks up all 256 slots one by one under the list lock; the empty ones are
        skipped here in one step.
        """
        present = {hpdev.desc.win_slot for hpdev in hbus.children}
        return next((SlotNumber(wslot) for wslot in slots if wslot in present), None)

    async def hv_send_resources_allocated(self, hdev: HvDevice) -> int:
        """Say RESOURCES_ASSIGNED for every function, slots ascending: 0 or -errno.

        The message is empty: it only moves the host's state machine on. What was assigned before a
        failure stays noted in ``wslot_res_allocated``.
        """
        hbus = hv_get_drvdata(hdev)
        packet = await self.kernel.kzalloc(PciPacket, GFP_KERNEL, self.hv_pci_generic_compl, None)
        if packet is None:
            return -ENOMEM
        ret = 0
        wslot = self.next_child_slot(hbus, range(ALL_SLOTS))
        while wslot is not None and not ret:
            hpdev = await self.get_pcichild_wslot(hbus, wslot)
            if hpdev is not None:
                await self.put_pcichild(hpdev)
                ret = await self._assign_resources(hdev, hbus, wslot, packet)
            wslot = self.next_child_slot(hbus, range(wslot + 1, ALL_SLOTS))
        await self.kernel.kfree(packet)
        if ret:
            self.kernel.emit(FunctionReturned(hbus.relid, "hv_send_resources_allocated", ret))
        return ret

    async def _assign_resources(
        self, hdev: HvDevice, hbus: HvPciBus, wslot: SlotNumber, packet: PciPacket
    ) -> int:
        frame = self.kernel.stack_frame("hv_send_resources_allocated")
        comp_pkt = frame.own(HvPciCompl(self.kernel))
        packet.compl_ctxt = comp_pkt
        dialect = hbus.dialect
        assert dialect is not None
        request = dialect.resources_assigned(wslot=wslot)
        ret = await self.send_request(hdev.channel, request.build(), packet)
        if not ret:
            ret = await self.wait_for_response(hdev, comp_pkt.host_event)
        if not ret and comp_pkt.completion_status < 0:
            self.kernel.log("err", f"resource allocated returned {comp_pkt.completion_status:#x}")
            ret = -EPROTO
        frame.leave()
        if not ret:
            hbus.wslot_res_allocated = wslot
            self.kernel.emit(ResourcesAssigned(hbus.relid, wslot))
        return ret

    async def hv_send_resources_released(self, hdev: HvDevice) -> int:
        """Say RESOURCES_RELEASED for what was assigned, highest slot first: 0 or -errno.

        Functions that were unlinked before are not found, so a plain remove says nothing (open
        item O23).
        """
        hbus = hv_get_drvdata(hdev)
        wslot = self.next_child_slot(hbus, range(hbus.wslot_res_allocated, -1, -1))
        while wslot is not None:
            hpdev = await self.get_pcichild_wslot(hbus, wslot)
            if hpdev is not None:
                message = PciChildMessage(MessageType.PCI_RESOURCES_RELEASED, hpdev.desc.win_slot)
                await self.put_pcichild(hpdev)
                ret = await self.send_message(hdev.channel, message.build())
                if ret:
                    return ret
                self.kernel.emit(ResourcesReleased(hbus.relid, wslot))
                hbus.wslot_res_allocated = wslot - 1
            wslot = self.next_child_slot(hbus, range(wslot - 1, -1, -1))
        hbus.wslot_res_allocated = NO_SLOT
        return 0

    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        """Release resources and leave D0: 0, -ETIMEDOUT after 10 s, or -errno.

        After a rescind the host no longer looks at the ring, so nothing is done at all; the
        functions stay allocated then (open item O9).
        """
        hbus = hv_get_drvdata(hdev)
        await ops.point(self.kernel, "channel.rescind")
        if self.channel_is_gone(hdev):
            return 0
        if not keep_devs:
            await self.remove_children(hbus)
        ret = await self.hv_send_resources_released(hdev)
        if ret:
            self.kernel.log("err", "couldn't send resources released packet(s)")
            return ret
        ret = await self._leave_d0(hdev)
        self.kernel.emit(D0Left(hbus.relid, ret))
        return ret

    def channel_is_gone(self, hdev: HvDevice) -> bool:
        """True once the host has rescinded the channel."""
        return hdev.channel.rescind

    async def remove_children(self, hbus: HvPciBus) -> None:
        """Let all functions go. Destroying slots sleeps, so they move to a private list first."""
        removed: ListHead[HvPciDev] = ListHead("removed")
        await hbus.device_list_lock.lock_irqsave()
        for hpdev in hbus.children:
            hbus.children.move_tail(hpdev, removed)
        await hbus.device_list_lock.unlock_irqrestore()
        for hpdev in removed:
            removed.delete(hpdev)
            desc = hpdev.desc
            self.kernel.emit(ChildRemoved(hbus.relid, desc.win_slot, desc.ser, "bus-exit"))
            await self.destroy_child_slot(hpdev)
            await self.put_pcichild(hpdev)  # the two references of new_pcichild_device()
            await self.put_pcichild(hpdev)

    async def _leave_d0(self, hdev: HvDevice) -> int:
        frame = self.kernel.stack_frame("hv_pci_bus_exit")
        comp_pkt = frame.own(HvPciCompl(self.kernel))
        packet = frame.own(PciPacket(self.hv_pci_generic_compl, comp_pkt))
        request = PciMessage(MessageType.PCI_BUS_D0EXIT)
        ret, transaction_id = await self.send_request_getid(hdev.channel, request.build(), packet)
        if not ret and not await comp_pkt.host_event.wait_timeout(D0_EXIT_TIMEOUT_MS):
            await self.forget_request(hdev.channel, transaction_id, packet)
            ret = -ETIMEDOUT
        frame.leave()
        return ret
