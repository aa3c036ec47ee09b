# SPDX-License-Identifier: MIT
"""Requests to the host: the packet that a completion finds again, and waiting for the answer.

Knows nothing of what is asked. A request's bookkeeping lives on the asker's stack or heap; the
requestor of the channel remembers it under a transaction id until the answer comes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import ENODEV
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from guest.kernel import ops
from guest.kernel.memory import Allocated
from guest.kernel.sync import Completion
from guest.pci_hyperv.bus import DriverBase
from guest.vmbus.packets import (
    vmbus_request_addr_match,
    vmbus_sendpacket,
    vmbus_sendpacket_getid,
)
from protocol.ring import DESCRIPTOR_BYTES  # every size the driver compares includes it
from protocol.vmbus import VM_PKT_DATA_INBAND, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from protocol.vpci import PciResponse

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import HvDevice, VmbusChannel
    from protocol.codec import WireRecord
    from protocol.ids import TransactionId
    from protocol.ring import Packet

RESPONSE_POLL_MS = 100  # wait_for_response(): HZ / 10 between looks at the rescind flag

CompletionFunc: TypeAlias = "Callable[[Any, Packet, int], Awaitable[None]]"


class PciPacket(Allocated):
    """``struct pci_packet``: whom to call, and with what, when the answer arrives.

    ``completion_func`` takes (context, packet, packet size in bytes including the descriptor).
    """

    __slots__ = ("compl_ctxt", "completion_func")

    def __init__(self, completion_func: CompletionFunc, compl_ctxt: object) -> None:
        self.completion_func = completion_func
        self.compl_ctxt = compl_ctxt


class HvPciCompl(Allocated):
    """``struct hv_pci_compl``: the answer's status and the event that says it is there.

    It lives on stacks, so the status is whatever lay there before until the answer is taken.
    """

    __slots__ = ("completion_status", "host_event")
    EMBEDDED: ClassVar[tuple[str, ...]] = ("host_event",)
    completion_status: int

    def __init__(self, kernel: Kernel) -> None:
        self.host_event = Completion(kernel, "host_event")


class Requests(DriverBase):
    """Send a request, wait for its answer, take the plain answers."""

    def reaches(self, packet_bytes: int, record: type[WireRecord]) -> bool:
        """Whether a packet of that size, descriptor included, holds the whole of ``record``."""
        return packet_bytes >= DESCRIPTOR_BYTES + record.SIZE

    async def hv_pci_generic_compl(self, context: HvPciCompl, packet: Packet, _size: int) -> None:
        """Answer that is a status and nothing else."""
        context.completion_status = PciResponse.parse(packet.payload).status
        await context.host_event.complete()

    async def wait_for_response(self, hdev: HvDevice, comp: Completion) -> int:
        """Wait for the host; -ENODEV once the channel is rescinded. Has no other limit.

        Nobody tells a waiter of a rescind, so the flag is looked at ten times a second
        (wait_for_response() of the kernel).
        """
        while True:
            await ops.point(self.kernel, "channel.rescind")
            if hdev.channel.rescind:
                self.kernel.log("warn", "the device is gone")
                return -ENODEV
            if await comp.wait_timeout(RESPONSE_POLL_MS):
                return 0

    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        """Send in-band and ask for an answer that will find ``packet``."""
        return vmbus_sendpacket(
            channel,
            payload,
            packet,
            VM_PKT_DATA_INBAND,
            VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
        )

    def send_request_getid(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[tuple[int, TransactionId]]:
        """As :meth:`send_request`, and say under which id, for :meth:`forget_request`."""
        return vmbus_sendpacket_getid(
            channel,
            payload,
            packet,
            VM_PKT_DATA_INBAND,
            VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
        )

    def send_message(self, channel: VmbusChannel, payload: bytes) -> Awaitable[int]:
        """Send in-band with transaction id 0: no answer is wanted."""
        return vmbus_sendpacket(channel, payload, None, VM_PKT_DATA_INBAND, 0)

    async def forget_request(
        self, channel: VmbusChannel, transaction_id: TransactionId, packet: PciPacket
    ) -> None:
        """Take the id out of the requestor before the packet it leads to dies.

        Only if it still leads there: the id may have been answered and given to another request.
        """
        await vmbus_request_addr_match(channel, transaction_id, packet)
