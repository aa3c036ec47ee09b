# SPDX-License-Identifier: MIT
"""Guests that use the rings as memory otherwise than Linux, where another guest might do so.

What no guest may do is in ``sim.conformance.wrong_guests``. Knows no case.
"""

from __future__ import annotations

from errno import EAGAIN

from msgspec.structs import replace

from guest.kernel import ops
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.channel import VmbusChannel, outbound_ring
from guest.vmbus.connection import VmbusConnection
from protocol.ring import Packet, Ring, RingFull, packet_bytes
from sim.conformance.wrong_guests.on_vmbus import OtherRings

LARGE_BUFFER_BYTES = 0x1_0000
OFFSET8_AT = slice(2, 4)  # of a descriptor
USUAL_OFFSET8 = 2
LOOK_US = 1_000


class SignalsAlways(Ring):
    """It signals behind each packet while there is more room than the host waits for."""

    __slots__ = ()

    def must_signal_space(self, bytes_read: int) -> bool:
        del bytes_read
        return 0 < self.pending_send_sz < self.bytes_to_write()


class TellsAlways(OtherRings):
    to_guest = SignalsAlways


class SignalsInTheEnd(Ring):
    """It signals room when all has been read."""

    __slots__ = ()

    def must_signal_space(self, bytes_read: int) -> bool:
        del bytes_read
        return self.pending_send_sz != 0 and self.empty()


class TellsInTheEnd(OtherRings):
    to_guest = SignalsInTheEnd


class Unmasked(Ring):
    """It wants a signal while it is read, too."""

    __slots__ = ()

    def begin_read(self) -> None:
        pass


class NeverMasks(OtherRings):
    to_guest = Unmasked


class Wishing(Ring):
    """Whoever finds no room asks to be told of some."""

    __slots__ = ()

    def write(self, packet_type: int, flags: int, transaction_id: int, payload: bytes) -> bool:
        try:
            return super().write(packet_type, flags, transaction_id, payload)
        except RingFull:
            self.pending_send_sz = packet_bytes(len(payload))
            raise


class WishesForRoom(OtherRings):
    to_host = Wishing


class Believing(Ring):
    """A message is looked for where its packet says."""

    __slots__ = ()

    def peek(self, max_packet_bytes: int | None = None) -> Packet | None:
        packet = super().peek(max_packet_bytes)
        if packet is None:
            return None
        told = self.bytes_at(self.read_index, OFFSET8_AT.stop)[OFFSET8_AT]
        if int.from_bytes(told, "little") == USUAL_OFFSET8:
            return packet
        return replace(packet, payload=bytes(len(packet.payload)))


class Believes(OtherRings):
    to_guest = Believing


class HasNoFeature(VmbusConnection):
    """Its ring from the host says nothing of pending_send_sz."""

    async def _post_open(self, channel: VmbusChannel, userdata: bytes) -> int:
        if channel.inbound is not None:
            channel.inbound.feature_bits = 0
        return await super()._post_open(channel, userdata)


class BeginsAtTheEnd(VmbusConnection):
    """Its ring to the host begins with indices behind the last byte."""

    async def _post_open(self, channel: VmbusChannel, userdata: bytes) -> int:
        ring = outbound_ring(channel)
        ring.write_index = ring.read_index = ring.data_bytes
        error = await super()._post_open(channel, userdata)
        ring.write_index = ring.read_index = 0
        return error


class HasLargeBuffer(HvPciDriver):
    """It takes packets of more than 4096 bytes."""

    async def open_channel(self, hbus: HvPciBus) -> int:
        hbus.hdev.channel.max_packet_bytes = LARGE_BUFFER_BYTES
        return await super().open_channel(hbus)


class WaitsForRoom(HvPciDriver):
    """What finds no room is sent when there is some."""

    async def send_message(self, channel: VmbusChannel, payload: bytes) -> int:
        while (ret := await super().send_message(channel, payload)) == -EAGAIN:
            await ops.udelay(self.kernel, LOOK_US)
        return ret
