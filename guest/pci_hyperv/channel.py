# SPDX-License-Identifier: MIT
"""The channel callback: every packet from the host comes through here.

Runs in the channel's tasklet, or is called by hv_compose_msi_msg() while that tasklet is disabled.
It sorts packets and leaves what they ask for to relations, eject and blocks.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import ENOBUFS
from typing import TYPE_CHECKING, ClassVar, TypeVar

from guest.events import PacketDropped, RequestCompleted
from guest.kernel import ops
from guest.kernel.faults import EndlessLoop
from guest.pci_hyperv.blocks import Blocks
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.eject import Eject
from guest.pci_hyperv.relations_inbox import RelationsInbox
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.packets import (
    lock_requestor,
    unlock_requestor,
    vmbus_recvpacket_raw,
    vmbus_request_addr_match_locked,
)
from protocol.errors import WireFormatError
from protocol.ids import TransactionId
from protocol.ring import DESCRIPTOR_BYTES
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciDevIncoming,
    PciDevInvalBlock,
    PciMessage,
)

if TYPE_CHECKING:
    from guest.vmbus.channel import VmbusChannel
    from protocol.codec import WireRecord
    from protocol.ring import Packet

PACKET_BUFFER_BYTES = 0x100  # first buffer of the callback; larger packets get a second one
# Model: of one call. A ring of pci_ring_size holds 682 packets of the least size; who reads more
# without anybody writing reads the same bytes again and again, and Linux never ends.
PACKETS_A_CALL_MAX = 4096
PCI_RESPONSE_BYTES = DESCRIPTOR_BYTES + 4  # packets no larger than a bare status are skipped

Incoming = TypeVar("Incoming", bound="WireRecord")


class Channel(RelationsInbox, Eject, Blocks):
    """Receive, sort, hand on."""

    async def hv_pci_onchannelcallback(self, hbus: HvPciBus) -> None:
        """Drain the ring.

        Without memory for the buffer the packets stay where they are; the tasklet finds them there
        and comes again (vmbus_on_event()).
        """
        kernel, channel = self.kernel, hbus.hdev.channel
        buffer_bytes = await self.new_buffer(PACKET_BUFFER_BYTES)
        packets_left = PACKETS_A_CALL_MAX
        while buffer_bytes:
            packets_left -= 1
            if not packets_left:
                raise EndlessLoop("the ring is never read to its end, packet upon packet")
            if kernel.crowded:
                await ops.offer(kernel, "recvpacket")
            ret, packet = vmbus_recvpacket_raw(channel, buffer_bytes)
            if packet is None or ret == -ENOBUFS:
                if kernel.crowded:
                    await ops.offer(kernel, "kfree")
                if packet is None:
                    break
                buffer_bytes = await self.new_buffer(packet.size)
            elif packet.size <= PCI_RESPONSE_BYTES:
                continue
            elif packet.packet_type == VM_PKT_COMP:
                await self.take_completion(hbus, packet)
            elif packet.packet_type == VM_PKT_DATA_INBAND:
                await self.take_message(hbus, packet)
            else:
                self.drop(hbus, f"unhandled packet type {packet.packet_type}")

    async def new_buffer(self, size_bytes: int) -> int:
        """kmalloc() of a receive buffer: its size in bytes, 0 without memory.

        Model: a buffer is only its size, since nobody but the callback ever sees it.
        """
        if self.kernel.crowded:
            await ops.offer(self.kernel, "kzalloc PacketBuffer")
        return 0 if self.kernel.allocation_fails("PacketBuffer") else size_bytes

    def drop(self, hbus: HvPciBus, reason: str) -> None:
        """Log and forget a packet."""
        self.kernel.log("err", reason)
        self.kernel.emit(PacketDropped(hbus.relid, reason))

    async def take_completion(self, hbus: HvPciBus, packet: Packet) -> None:
        """Find the request and call it, both under the requestor's lock.

        Under one lock, because the asker takes its id back under the same one before its stack
        frame dies: whoever is still found is still waiting.
        """
        channel = hbus.hdev.channel
        transaction_id = TransactionId(packet.transaction_id)
        await lock_requestor(channel)
        request = self.request_of(channel, transaction_id)
        if request is None:
            await unlock_requestor(channel)
            self.drop(hbus, f"invalid transaction ID {transaction_id:x}")
            return
        self.kernel.emit(RequestCompleted(hbus.relid, transaction_id, packet.size))
        await request.completion_func(request.compl_ctxt, packet, packet.size)
        await unlock_requestor(channel)

    def request_of(self, channel: VmbusChannel, transaction_id: TransactionId) -> PciPacket | None:
        """What waits for this answer; None if nothing does. Forgets the id, so once for each."""
        request = vmbus_request_addr_match_locked(channel, transaction_id, None)
        assert request is None or isinstance(request, PciPacket)
        return request

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        """An unsolicited message of the host: one of four, or it is dropped."""
        message_type = PciMessage.parse(packet.payload).message_type
        handler = self._handlers.get(message_type)
        if handler is None:
            self.drop(hbus, f"unimplemented protocol message {message_type:x}")
        else:
            await handler(self, hbus, packet)

    def incoming(
        self, hbus: HvPciBus, record: type[Incoming], packet: Packet, what: str
    ) -> Incoming | None:
        """The message as a record, or None if the packet cannot hold it; never trust the host."""
        try:
            return record.parse(packet.payload)
        except WireFormatError:
            self.too_small(hbus, what)
            return None

    def too_small(self, hbus: HvPciBus, what: str) -> None:
        """The packet ends before its message does."""
        self.drop(hbus, f"{what} too small")

    async def _bus_relations(self, hbus: HvPciBus, packet: Packet) -> None:
        relations = self.incoming(hbus, PciBusRelations, packet, "bus relations")
        if relations is not None:
            await self.hv_pci_devices_present(hbus, relations)

    async def _bus_relations2(self, hbus: HvPciBus, packet: Packet) -> None:
        relations = self.incoming(hbus, PciBusRelations2, packet, "bus relations v2")
        if relations is not None:
            await self.hv_pci_devices_present2(hbus, relations)

    async def _eject(self, hbus: HvPciBus, packet: Packet) -> None:
        message = self.incoming(hbus, PciDevIncoming, packet, "eject message")
        if message is None:
            return
        # A function that is not linked yet loses its EJECT: nobody answers it (open item O4).
        hpdev = await self.get_pcichild_wslot(hbus, message.wslot)
        if hpdev is not None:
            await self.hv_pci_eject_device(hpdev)
            await self.put_pcichild(hpdev)

    async def _invalidate_block(self, hbus: HvPciBus, packet: Packet) -> None:
        message = self.incoming(hbus, PciDevInvalBlock, packet, "invalidate message")
        if message is None:
            return
        hpdev = await self.get_pcichild_wslot(hbus, message.wslot)
        if hpdev is not None:
            await self.invalidate_block(hpdev, message.block_mask)
            await self.put_pcichild(hpdev)

    _handlers: ClassVar[dict[int, Callable[[Channel, HvPciBus, Packet], Awaitable[None]]]] = {
        MessageType.PCI_BUS_RELATIONS: _bus_relations,
        MessageType.PCI_BUS_RELATIONS2: _bus_relations2,
        MessageType.PCI_EJECT: _eject,
        MessageType.PCI_INVALIDATE_BLOCK: _invalidate_block,
    }
