# SPDX-License-Identifier: MIT
"""The guest's end of VMBus and nothing behind it: messages, rings and packets on demand.

Stands opposite a :class:`~host.partition.Partition` where whoever drives it is no kernel: the
conformance suite, or a guest in another process. A guest by hand that minds its offers, and whose
own deeds are in the trace, too. Knows no vPCI message.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from uuid import UUID

from host.events import AccessDeferred
from host.settings import PartitionConfig
from protocol.ids import RelId, VpIndex
from protocol.link import MessagePosted, PacketPublished
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlTeardown,
    VmbusChannelOfferChannel,
    VmbusChannelRelidReleased,
    VmbusChannelRescindOffer,
    message_type,
)
from sim.peer.bench_clock import BenchClock
from sim.peer.hand_guest import HandGuest
from sim.trace import Stamped

ME: Final = "thread/0:peer"


class Offered(NamedTuple):
    """A channel as its offer told it."""

    relid: RelId
    connection_id: int
    instance_id: UUID


class Begun(NamedTuple):
    """An access to a register that the host may hold up: until ``end_ns``."""

    clock: BenchClock
    end_ns: int
    given: int

    def ended(self) -> bool:
        """Whether its processor goes on."""
        return self.clock.now_ns() >= self.end_ns

    def value(self) -> int:
        """What a read gave."""
        return self.given


class BareGuest(HandGuest):
    """One VM without a kernel, and its host.

    ``trace`` is what happened, stamped: what this end sends is told by it, the rest by the host.
    """

    def __init__(self, config: PartitionConfig) -> None:
        """Raises ValueError as :class:`Partition` does."""
        self.trace: list[Stamped] = []
        self._rescinded: set[RelId] = set()
        self._offers: dict[RelId, Offered] = {}
        self._who = ME
        super().__init__(config, self._told)

    def _told(self, event: object) -> None:
        self.trace.append(Stamped(len(self.trace), self.clock.now_ns(), self._who, event))  # type: ignore[arg-type]  # events are structs

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A control message: offers and rescinds are minded."""
        super().synic_message(vp, message)
        payload = self.messages[-1]
        match message_type(payload):
            case ChannelMessageType.CHANNELMSG_OFFERCHANNEL:
                offer = VmbusChannelOfferChannel.parse(payload)
                relid = RelId(offer.child_relid)
                self._rescinded.discard(relid)
                self._offers[relid] = Offered(relid, offer.connection_id, offer.offer.if_instance)
            case ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER:
                self._rescinded.add(RelId(VmbusChannelRescindOffer.parse(payload).child_relid))

    def offers(self) -> tuple[Offered, ...]:
        """What is offered and not rescinded, oldest first."""
        return tuple(o for relid, o in self._offers.items() if relid not in self._rescinded)

    def connection_id(self, relid: RelId) -> int:
        """As its offer has it."""
        return self._offers[relid].connection_id

    def post(self, payload: bytes) -> int:
        """Post a control message; the hypercall's status."""
        self._told(MessagePosted("guest-to-host", payload))
        return super().post(payload)

    def close(self, relid: RelId) -> None:
        """Close the channel and take the rings back."""
        rings = self._rings.pop(relid)
        self.post(VmbusChannelCloseChannel(child_relid=relid).build())
        if relid not in self._rescinded:
            self.post(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=rings.gpadl).build())
        self.run()

    def release(self, relid: RelId) -> None:
        """Give the relid of a rescinded channel back."""
        self._offers.pop(relid, None)
        self.post(VmbusChannelRelidReleased(child_relid=relid).build())
        self.run()

    def write(
        self, relid: RelId, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        """Publish a packet and signal. Raises RingFull."""
        must_signal = self._rings[relid].to_host.write(packet_type, flags, transaction_id, payload)
        self._told(
            PacketPublished("guest-to-host", relid, packet_type, transaction_id, flags, payload)  # type: ignore[arg-type]  # any number may be tried
        )
        if must_signal:
            self.signal(relid)

    def begin_read(self, gpa: int, size: int) -> Begun:
        """Read guest-physical memory that the host answers for."""
        value = self.partition.mmio_read(gpa, size)
        return Begun(self.clock, self.clock.now_ns() + self.partition.take_read_hold(), value)

    def begin_write(self, gpa: int, size: int, value: int) -> Begun:
        """Write it. Here BARs are mapped in no time, and only what a device puts off takes some."""
        before = len(self.trace)
        held_ns = self.partition.mmio_write(gpa, size, value)
        late = any(isinstance(each.event, AccessDeferred) for each in self.trace[before:])
        return Begun(self.clock, self.clock.now_ns() + held_ns * late, 0)

    def run(self) -> None:
        """Let the host do what it has to do, in its own name."""
        self._who = "host"
        super().run()
        self._who = ME
