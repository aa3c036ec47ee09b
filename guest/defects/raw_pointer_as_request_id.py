# SPDX-License-Identifier: MIT
"""A request's id was the address of its packet, and the callback called whatever the host named.

de5ddb7d4434 hands out numbers from a table of 64, each good for one answer.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.faults import WildCall
from guest.pci_hyperv.channel import Channel
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import VmbusChannel
from protocol.ids import TransactionId


class IdsAreAddresses(Channel):
    """What lay at an address lies there still, whatever has become of it."""

    packets: dict[tuple[int, int], PciPacket]

    def request_of(self, channel: VmbusChannel, transaction_id: TransactionId) -> PciPacket | None:
        request = super().request_of(channel, transaction_id)
        memory = vars(self).setdefault("packets", {})
        if request is not None:
            memory[channel.relid, transaction_id] = request
        if (channel.relid, transaction_id) not in memory:
            raise WildCall(f"completion function of a packet at {transaction_id:#x}")
        return self.packets[channel.relid, transaction_id]


DEFECT = Defect(
    id="raw-pointer-as-request-id",
    subject="PCI: hv: Use vmbus_requestor to generate transaction IDs for VMbus hardening",
    commit="de5ddb7d4434",
    commit_check="verified",
    cls="D",
    fixed="2022-04 / v5.19",
    scenario="hostile-answers",
    expect="dead-stack",
    why="A hostile host answers a request again that was answered long ago: its packet lived on a"
    " stack. Model: an id stands for the address, which lives on as the stack does.",
    mixins=(Mixin("driver", IdsAreAddresses),),
)
