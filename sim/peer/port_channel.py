# SPDX-License-Identifier: MIT
"""A VMBus channel whose user is in another process, and the driver that gives it to him.

The driver stands where the model of ``hv_pci`` stands, so that VMBus, hibernation and whoever loads
and unbinds drivers do with it what they do with that one. Knows no vPCI message.
"""

from __future__ import annotations

from errno import EIO
from typing import TYPE_CHECKING, Any, Final

from guest.kernel import ops
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.packets import vmbus_recvpacket_raw, vmbus_setevent
from protocol.link import PacketPublished
from protocol.peer_port import Offered, Opened, PacketFrame, Rescind
from protocol.ring import MAX_PACKET_BYTES, RingCorrupt, RingFull
from protocol.status import STATUS_SUCCESS, STATUS_UNSUCCESSFUL, unsigned
from sim.peer.fault import PeerFault, nonsense

if TYPE_CHECKING:
    from guest.vmbus.channel import HvDevice
    from sim.peer.desk import Desk

RING_BYTES: Final = 20480  # each way, as Linux has it: a header page and four of data
FULL_MS_MAX: Final = 1000  # how long a full ring is waited for


class PortChannel:
    """``number`` is what the peer calls it: its own for each time that the driver got the device,
    whatever relid it has meanwhile."""

    def __init__(self, desk: Desk, hdev: HvDevice, number: int) -> None:
        self._desk: Final = desk
        self.hdev: Final = hdev
        self.number: Final = number
        self.is_open = False
        self.released = False
        self._told_rescind = False

    def tell_offer(self) -> None:
        """The peer learns of it."""
        self._desk.tell(Offered(self.number, 0, self.hdev.dev_instance))

    def tell_rescind(self) -> None:
        """The peer learns of its rescind, if there was one, once."""
        if self.hdev.channel.rescind and not self._told_rescind:
            self._told_rescind = True
            self._desk.tell(Rescind(self.number))

    async def open(self) -> Opened:
        """Open the channel."""
        if self.is_open:
            raise self._nonsense("opened twice")
        channel = self.hdev.channel
        error = await channel.vmbus.vmbus_open(
            channel, RING_BYTES, RING_BYTES, b"", self._callback, None
        )
        self.is_open = not error
        status = unsigned(STATUS_UNSUCCESSFUL) if error else STATUS_SUCCESS
        return Opened(self.number, status)

    async def close(self) -> None:
        """Close it."""
        if not self.is_open:
            raise self._nonsense("closed and was not open")
        self.is_open = False
        await self.hdev.channel.vmbus.vmbus_close(self.hdev.channel)

    def release(self) -> None:
        """The peer is done with a channel that was rescinded."""
        if self.is_open or not self._told_rescind:
            raise self._nonsense("released while it was open or offered")
        self.released = True

    async def send(self, frame: PacketFrame) -> None:
        """Write a packet to the ring, as it came. What is late for a rescind is dropped."""
        if not self.is_open:
            raise self._nonsense("written to and was not open")
        channel, kernel = self.hdev.channel, self._desk.kernel
        for _ in range(FULL_MS_MAX):
            if channel.outbound is None or (channel.rescind and not self._told_rescind):
                return
            head = (frame.packet_type, frame.flags, frame.transaction_id)
            try:
                signal = channel.outbound.write(*head, frame.payload)
            except RingFull:
                await ops.msleep(kernel, 1)
                continue
            except RingCorrupt:
                return  # the host's doing, and the host's loss
            kernel.emit(
                PacketPublished(
                    "guest-to-host",
                    channel.relid,
                    frame.packet_type,
                    frame.transaction_id,  # type: ignore[arg-type]  # the peer's own number
                    frame.flags,
                    frame.payload,
                )
            )
            if signal:
                vmbus_setevent(channel)
            return
        raise PeerFault(f"the peer floods: channel {self.number} stays full")

    async def _callback(self, _: Any) -> None:
        """Everything that has come goes to the peer."""
        kernel, channel = self._desk.kernel, self.hdev.channel
        while True:
            await ops.point(kernel, "recvpacket")
            _, packet = vmbus_recvpacket_raw(channel, MAX_PACKET_BYTES)
            if packet is None:
                return
            head = (self.number, packet.packet_type, packet.flags, packet.transaction_id)
            self._desk.tell(PacketFrame(*head, packet.payload))

    def _nonsense(self, what: str) -> PeerFault:
        return nonsense(f"channel {self.number} was {what}")


class PortDriver(HvPciDriver):
    """Of ``hv_pci`` it has the name and the interface; all it does is done by the peer."""

    desk: Desk

    async def init_hv_pci_drv(self) -> int:
        """Register with VMBus."""
        return await self.vmbus.register_driver(self)

    async def exit_hv_pci_drv(self) -> None:
        """Let every channel go."""
        await self.vmbus.unregister_driver(self)

    async def hv_pci_probe(self, hdev: HvDevice) -> int:
        """Offer the channel to the peer, which opens it when it likes."""
        channel = PortChannel(self.desk, hdev, self.desk.next_number())
        hdev.drvdata = channel
        self.desk.channels[channel.number] = channel
        channel.tell_offer()
        return 0

    async def hv_pci_remove(self, hdev: HvDevice) -> None:
        """The peer closes and releases what was rescinded, and else is told to let go."""
        channel: PortChannel = hdev.drvdata
        if not hdev.channel.rescind:
            await self.desk.order("remove", channel)
            self._must_be_closed(channel, "remove")
        else:
            channel.tell_rescind()
            await self.desk.until(lambda: channel.released, channel)
        del self.desk.channels[channel.number]

    async def hv_pci_suspend(self, hdev: HvDevice) -> int:
        """The peer keeps its functions and closes the channel."""
        error = await self.desk.order("suspend", hdev.drvdata)
        if not error:
            self._must_be_closed(hdev.drvdata, "suspend")
        return error

    async def hv_pci_resume(self, hdev: HvDevice) -> int:
        """The peer opens it again."""
        error = await self.desk.order("resume", hdev.drvdata)
        return error if hdev.drvdata.is_open else -EIO

    def _must_be_closed(self, channel: PortChannel, order: str) -> None:
        if channel.is_open:
            raise nonsense(f"it leaves its channel open at {order}")
