# SPDX-License-Identifier: MIT
"""hv_compose_msi_msg() left with its request still in flight, and the answer found a dead frame.

The loop left when EJECT had arrived (see eject-state-breaks-compose), although the host still
answers. a765ed47e451 takes the id back before the frame dies, and makes the callback look a request
up and call it under one lock: so neither comes in between.
"""

from __future__ import annotations

from guest.defects.eject_state_breaks_compose import GIVES_UP, ComposeGivesUp
from guest.defects.record import Defect, Mixin
from guest.events import RequestCompleted
from guest.native.edits.record import Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.interrupts import Interrupts
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.packets import vmbus_request_addr_match
from protocol.ids import TransactionId
from protocol.ring import Packet


class LeavesItsRequestBehind(Interrupts):
    """Keeps the id when it leaves; looks a request up under the lock, and calls it without."""

    async def forget_compose(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> None:
        """Nothing: the host is not expected to answer."""

    async def take_completion(self, hbus: HvPciBus, packet: Packet) -> None:
        """As the clean one but for where the lock is released: before the call."""
        transaction_id = TransactionId(packet.transaction_id)
        request = await vmbus_request_addr_match(hbus.hdev.channel, transaction_id, None)
        if request is None:
            self.drop(hbus, f"invalid transaction ID {transaction_id:x}")
            return
        assert isinstance(request, PciPacket)
        self.kernel.emit(RequestCompleted(hbus.relid, transaction_id, packet.size))
        await request.completion_func(request.compl_ctxt, packet, packet.size)


DEFECT = Defect(
    id="compose-stack-packet",
    subject="PCI: hv: Fix synchronization between channel callback and hv_compose_msi_msg()",
    commit="a765ed47e451",
    commit_check="verified",
    cls="B",
    fixed="2022-04 / v5.19",
    scenario="eject-during-probe",
    expect="dead-stack",
    why="EJECT makes composing give up; the host answers all the same, through a packet that"
    " lived on the stack.",
    mixins=(Mixin("driver", ComposeGivesUp), Mixin("driver", LeavesItsRequestBehind)),
    bred_by="compose-hang-tasklet-starved",
    edits=(
        GIVES_UP,
        Drop("hv_compose_msi_msg", ("vmbus_request_addr_match",)),
    ),
)
