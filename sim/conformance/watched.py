# SPDX-License-Identifier: MIT
"""A host under test whose answers know their place in its trace.

So that a check which finds something wrong need not say where: it stands at what the host gave
last. Knows no case.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from host.events import ChannelOpened, Rescinded
from protocol.hypercall import HypercallResult
from protocol.ids import Vector, VpIndex
from protocol.link import (
    BarRead,
    ConfigRead,
    Direction,
    HypercallMade,
    InterruptDelivered,
    MessagePosted,
    PacketPublished,
    UnclaimedAccess,
)
from protocol.ring import Packet, Ring
from sim.conformance.case import NOTHING_MORE
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrapped import Wrapped
from sim.trace import Stamped

READS: Final = (ConfigRead, BarRead, UnclaimedAccess)
FROM_HOST: Final[Direction] = "host-to-guest"
FROM_GUEST: Final[Direction] = "guest-to-host"


class Received(Packet, frozen=True, gc=False):
    """A packet of the host's; ``at`` is its place in the trace, if the trace has it."""

    at: int = NOTHING_MORE


class Watched(Wrapped):
    """Implements ``HostUnderTest`` by another one.

    ``place`` is the place in the trace of what the host gave last, or of the packet that it gave
    nothing for; None where the trace has neither. ``asked`` is that of the last packet sent.
    """

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self.place: int | None = None
        self.asked: int | None = None
        self._taken: Counter[Channel] = Counter()  # how much of the trace was gone through
        self._interrupted = 0  # likewise

    def open(self, channel: Channel) -> int:
        before = self._forget()
        status = super().open(channel)
        self.place = self._last(before, ChannelOpened, MessagePosted)
        return status

    def offers(self) -> dict[Channel, UUID]:
        offers = super().offers()
        self.place = self._last(0, Rescinded)
        return offers

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        before = self._forget()
        super().send(channel, packet_type, flags, transaction_id, payload)
        sent = (s.seq for s in self.trace()[before:] if _crossed(s, channel, FROM_GUEST))
        self.asked = self.place = next(sent, None)

    def received(self, channel: Channel) -> tuple[Received, ...]:
        """:meth:`receive`, each packet with its place."""
        found = tuple(self._placed(channel, packet) for packet in super().receive(channel))
        self.place = found[0].at if found else self.asked
        return found

    def signals(self, channel: Channel) -> int:
        self.place = None  # no message
        return super().signals(channel)

    def rings(self, channel: Channel) -> tuple[Ring, Ring]:
        self.place = self._last_packet(channel)
        return super().rings(channel)

    def signal(self, channel: Channel) -> None:
        self._forget()  # what the guest wrote into the ring by itself is no packet of the trace
        super().signal(channel)

    def mmio_read(self, gpa: int, size: int) -> int:
        before = len(self.trace())
        value = super().mmio_read(gpa, size)
        self.place = self._last(before, *READS)
        return value

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        before = len(self.trace())
        result = super().hypercall(control, data)
        self.place = self._last(before, HypercallMade)
        return result

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        found = super().interrupts()
        self.place = self._last(self._interrupted, InterruptDelivered) if found else None
        self._interrupted = len(self.trace())
        return found

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        self._forget()
        super().order(what, channel, **arguments)

    def _forget(self) -> int:
        """Something else begins: how long the trace is now."""
        self.asked = self.place = None
        return len(self.trace())

    def _last(self, since: int, *kinds: type[msgspec.Struct]) -> int | None:
        later = reversed(self.trace()[since:])
        return next((s.seq for s in later if isinstance(s.event, kinds)), None)

    def _last_packet(self, channel: Channel) -> int | None:
        """The last one that lies or lay in a ring of the channel."""
        later = reversed(self.trace())
        packets = (s.seq for s in later if _crossed(s, channel, FROM_HOST, FROM_GUEST))
        return next(packets, None)

    def _placed(self, channel: Channel, packet: Packet) -> Received:
        """Packets are taken in the order in which they stand in the trace."""
        first = self._taken[channel]
        for nth, stamped in enumerate(self.trace()[first:], first):
            if _crossed(stamped, channel, FROM_HOST) and _is(stamped.event, packet):
                self._taken[channel] = nth + 1
                return Received(**asdict(packet), at=stamped.seq)
        return Received(**asdict(packet))


def _crossed(stamped: Stamped, channel: Channel, *directions: Direction) -> bool:
    event = stamped.event
    return (
        isinstance(event, PacketPublished)
        and event.direction in directions
        and event.relid == channel
    )


def _is(event: Any, packet: Packet) -> bool:
    """Whether a packet's event is about this one; somebody between may have changed the rest."""
    ids = (event.packet_type, event.transaction_id)
    return ids == (packet.packet_type, packet.transaction_id)
