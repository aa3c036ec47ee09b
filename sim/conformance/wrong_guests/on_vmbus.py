# SPDX-License-Identifier: MIT
"""Guests that use VMBus wrongly: control messages and the rings themselves."""

from __future__ import annotations

from typing import Final

from guest.kernel.kernel import Kernel
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.post import vmbus_post_msg
from protocol.hypercall import HypercallResult
from protocol.ring import TRAILER_BYTES, Ring, RingFull, packet_bytes
from protocol.vmbus import (
    MAX_SIZE_CHANNEL_MESSAGE,
    ChannelMessageType,
    VmbusChannelMessageHeader,
)
from sim.conformance.wrong_guests.record import WrongGuest, driver, vmbus

# Control messages


class PostsTooMuch(VmbusConnection):
    """Once, and it lets that come to nothing."""

    async def request_offers(self) -> int:
        head = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        await vmbus_post_msg(self, head.build().ljust(MAX_SIZE_CHANNEL_MESSAGE + 8, b"\0"))
        return await super().request_offers()


class SleepsOn(VmbusConnection):
    async def wake_waiter(self, channel: VmbusChannel) -> None:
        pass


class StaysWhereItWas(VmbusConnection):
    """It posts everything where it has posted the contact."""

    async def request_offers(self) -> int:
        if self.dialect is not None:
            self.msg_conn_id = self.dialect.message_connection_id
        return await super().request_offers()


class WholeRegister(HypercallResult):
    """Read as a status from its first bit to its last."""

    __slots__ = ()

    @property
    def status(self) -> int:
        return self.register


class WholeRegisters(Kernel):
    __slots__ = ()

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        return WholeRegister(*super().hypercall(control, data))


class ReadsWholeRegisters(VmbusConnection):
    async def connect(self) -> int:
        self.kernel.__class__ = WholeRegisters
        return await super().connect()


# Rings


class OtherRings(HvPciDriver):
    """A guest with other rings than Linux: to the host, and from it."""

    to_host: type[Ring] = Ring
    to_guest: type[Ring] = Ring

    async def open_channel(self, hbus: HvPciBus) -> int:
        ret = await super().open_channel(hbus)
        channel = hbus.hdev.channel
        if not ret and channel.outbound is not None and channel.inbound is not None:
            channel.outbound.__class__ = self.to_host
            channel.inbound.__class__ = self.to_guest
        return ret


class GarblesAtTheEnd(Ring):
    __slots__ = ()

    def write(self, packet_type: int, flags: int, transaction_id: int, payload: bytes) -> bool:
        if self.write_index + packet_bytes(len(payload)) > self.data_bytes:
            payload = payload[::-1]
        return super().write(packet_type, flags, transaction_id, payload)


class FillsUp(Ring):
    """What would leave nothing free is written all the same."""

    __slots__ = ()

    def write(self, packet_type: int, flags: int, transaction_id: int, payload: bytes) -> bool:
        try:
            return super().write(packet_type, flags, transaction_id, payload)
        except RingFull:
            if self.bytes_to_write() != packet_bytes(len(payload)):
                raise
        read_index = self.read_index
        self.read_index = (read_index + TRAILER_BYTES) % self.data_bytes
        signal = super().write(packet_type, flags, transaction_id, payload)
        self.read_index = read_index
        return signal


class TellsNobody(Ring):
    __slots__ = ()

    def must_signal_space(self, bytes_read: int) -> bool:
        del bytes_read
        return False


def rings(caught_by: str, does: str, **classes: type[Ring]) -> WrongGuest:
    """A guest with such rings."""
    return driver(caught_by, does, type("Rings", (OtherRings,), classes))


WRONG: Final[tuple[WrongGuest, ...]] = (
    vmbus(
        "messages-go-where-the-answer-says",
        "posts all its messages where it has made contact",
        StaysWhereItWas,
    ),
    vmbus(
        "status-is-sixteen-bits",
        "takes the whole result of a hypercall for its status",
        ReadsWholeRegisters,
    ),
    vmbus("messages-well-formed", "posts a message of 248 bytes", PostsTooMuch),
    vmbus("rescind-ends-an-open", "waits for a channel that has gone", SleepsOn),
    rings("packets-across-the-end", "garbles what goes round its ring", to_host=GarblesAtTheEnd),
    rings("ring-never-filled", "fills its ring to the last byte", to_host=FillsUp),
    rings("host-told-of-room", "tells nobody that there is room", to_guest=TellsNobody),
)
