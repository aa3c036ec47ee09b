# SPDX-License-Identifier: MIT
"""A late answer to D0 exit completed a packet on a stack frame that had returned.

hv_pci_bus_exit() waits 10 s. Until b4927bd27262 it then left the request's id in the table.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.d0 import D0
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import VmbusChannel
from protocol.ids import TransactionId


class KeepsTheId(D0):
    """hv_pci_bus_exit() that times out and is done."""

    async def forget_d0_exit(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> None:
        """Nothing: the host is not expected to answer."""


DEFECT = Defect(
    id="busexit-stack-packet",
    subject="PCI: hv: Fix synchronization between channel callback and hv_pci_bus_exit()",
    commit="b4927bd27262",
    commit_check="verified",
    cls="B",
    fixed="2022-05 / v5.19",
    scenario="unload-slow-host",
    expect="dead-stack",
    why="The host answers after the 10 s that the guest waits, before the channel is closed.",
    mixins=(Mixin("driver", KeepsTheId),),
    why_model_only=(
        "In the real driver the frame's place is another's by then: the answer calls whatever lies"
        " there, which is a crash, in a few of a thousand orders."
    ),
)
