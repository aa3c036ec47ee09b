# SPDX-License-Identifier: MIT
"""The bus's power state: enter D0, with one retry, and leave it. Knows no PCI enumeration."""

from __future__ import annotations

from collections.abc import Awaitable
from errno import ENOMEM, EPROTO, ETIMEDOUT
from typing import TYPE_CHECKING

from guest.events import (
    ChildRemoved,
    D0Entered,
    D0Left,
    FunctionReturned,
)
from guest.kernel import ops
from guest.kernel.lists import ListHead
from guest.kernel.memory import GFP_KERNEL
from guest.pci_hyperv.assignment import HIGHEST_SLOT, Assignment
from guest.pci_hyperv.bus import HvPciBus, hv_get_drvdata
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.messages import bus_message
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from protocol.ids import Gpa, TransactionId
from protocol.vpci import MessageType, PciBusD0Entry

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice, VmbusChannel

D0_EXIT_TIMEOUT_MS = 10_000  # hv_pci_bus_exit(): 10 * HZ


class D0(Assignment):
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
        hbus.wslot_res_allocated = HIGHEST_SLOT  # a kdump kernel does not know what was assigned
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
        status = comp_pkt.completion_status if not ret else 0
        await self.kernel.kfree(packet)
        frame.leave()
        return ret, status

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
        for hpdev in hbus.children.safe():
            hbus.children.move_tail(hpdev, removed)
        await hbus.device_list_lock.unlock_irqrestore()
        for hpdev in removed.safe():
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
        request = bus_message(MessageType.PCI_BUS_D0EXIT)
        ret, transaction_id = await self.send_request_getid(hdev.channel, request, packet)
        if not ret and not await comp_pkt.host_event.wait_timeout(D0_EXIT_TIMEOUT_MS):
            await self.forget_d0_exit(hdev.channel, transaction_id, packet)
            ret = -ETIMEDOUT
        frame.leave()
        return ret

    def forget_d0_exit(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> Awaitable[None]:
        """Nobody waits for this answer any more; it may still come."""
        return self.forget_request(channel, transaction_id, packet)
