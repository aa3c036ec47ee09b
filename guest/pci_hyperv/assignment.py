# SPDX-License-Identifier: MIT
"""RESOURCES_ASSIGNED and RESOURCES_RELEASED: how the host's state machine is moved, slot by slot.

The messages are empty but for the slot; addresses are given through configuration space.
"""

from __future__ import annotations

from errno import ENOMEM, EPROTO
from typing import TYPE_CHECKING

from guest.events import FunctionReturned, ResourcesAssigned, ResourcesReleased
from guest.kernel.memory import GFP_KERNEL
from guest.pci_hyperv.bus import HvPciBus, hv_get_drvdata
from guest.pci_hyperv.messages import child_message, resources_assigned
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from guest.pci_hyperv.root_bus import RootBus
from protocol.ids import SlotNumber
from protocol.vpci import MessageType

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice

ALL_SLOTS = 256
HIGHEST_SLOT = 255
NO_SLOT = -1


class Assignment(RootBus):
    """Tell of resources, and take it back."""

    def next_child_slot(self, hbus: HvPciBus, slots: range) -> SlotNumber | None:
        """The first of ``slots`` that holds a function, or None.

        Model: Linux looks up all 256 slots one by one under the list lock; the empty ones are
        skipped here in one step.
        """
        present = [hpdev.desc.win_slot for hpdev in hbus.children if hpdev.desc.win_slot in slots]
        return min(present, key=slots.index, default=None)

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
        request = resources_assigned(dialect.resources_assigned, wslot)
        ret = await self.send_request(hdev.channel, request, packet)
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
                message = child_message(MessageType.PCI_RESOURCES_RELEASED, hpdev.desc.win_slot)
                await self.put_pcichild(hpdev)
                ret = await self.send_message(hdev.channel, message)
                if ret:
                    return ret
                self.kernel.emit(ResourcesReleased(hbus.relid, wslot))
                hbus.wslot_res_allocated = wslot - 1
            wslot = self.next_child_slot(hbus, range(wslot - 1, -1, -1))
        hbus.wslot_res_allocated = NO_SLOT
        return 0
