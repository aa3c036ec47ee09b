# SPDX-License-Identifier: MIT
"""A whole guest opposite a whole host, and somebody who writes into what the two share.

He sees every packet that the guest sends, and may have something lie in the other ring before the
host has answered; between the two he puts control messages into the SynIC's slot. The host means
well and knows nothing of him. Natural order; knows no law.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from guest.kernel.context import Context
from guest.kernel.memory import is_dead
from guest.kernel.pages import PAGE_BYTES, PhysicalMemory
from guest.reference import GuestConfig, ReferenceGuest
from guest.vmbus.channel import ChannelState, VmbusChannel
from guest.wiring import Wiring
from host.events import IndexForged, LengthForged
from host.partition import Partition
from protocol.ids import RelId, VpIndex
from protocol.link import MessagePosted, PacketPublished
from protocol.ring import Ring, RingCorrupt, RingFull
from protocol.synic import synic_message
from sim.configs import guest_config, partition_config, profile_of
from sim.engine import Engine
from sim.fuzzing.packets import RawPacket
from sim.fuzzing.ring_end import forge, put
from sim.machine import Machine
from sim.scenario import Scenario

WRITE_INDEX: Final = 0  # of the ring's header words
AT_ONCE_NS: Final = (1, 1)  # before the host has had time to answer
CPU_0: Final = VpIndex(0)


class GuestEnd:
    """The machine that a scenario describes, booted, without its actors.

    ``happened`` is all that did, as laws and signatures read it. ``overheard`` is called with each
    packet of the guest.
    """

    def __init__(self, scenario: Scenario, overheard: Callable[[PacketPublished], None]) -> None:
        self.engine = Engine()
        self.happened: list[tuple[int, Context | None, Any]] = []
        self._overheard = overheard
        self.machine = Machine(guest_config(scenario), self.engine, PhysicalMemory(), self._build)
        self.partition = Partition(
            partition_config(scenario, profile_of),
            self.engine,
            self.machine.door,
            self.machine.memory,
            self.emit,
        )
        self.machine.load()
        self.machine.guest.boot()

    def _build(self, config: GuestConfig, memory: PhysicalMemory, number: int) -> ReferenceGuest:
        wiring = Wiring(self.partition, self.engine, self.emit, memory)
        return ReferenceGuest(config, wiring, number=number)

    @property
    def guest(self) -> ReferenceGuest:
        """The guest."""
        guest = self.machine.guest
        assert isinstance(guest, ReferenceGuest), "nothing else is built here"
        return guest

    def emit(self, event: Any) -> None:
        """Something has happened on either side."""
        self.happened.append((self.engine.time_ns, self.engine.current, event))
        self.engine.progress_step = self.engine.steps
        if type(event) is PacketPublished and event.direction == "guest-to-host":
            self._overheard(event)

    def whose(self) -> tuple[str, int]:
        """Who is running, and what time it is."""
        current = self.engine.current
        return current.label if current else "host", self.engine.now_ns()

    # What is forged

    def channel(self, relid: RelId) -> VmbusChannel | None:
        """The guest's channel, if its rings are in use."""
        channel = self.guest.vmbus.channels.get(relid)
        if channel is None or is_dead(channel) or channel.state is not ChannelState.OPENED:
            return None
        return channel if channel.ring_pages else None

    def shared(self, channel: VmbusChannel) -> memoryview:
        """The ring to the guest, header page and all."""
        sent = channel.ring_send_pages * PAGE_BYTES
        whole = self.machine.memory.window(channel.ring_gpa, channel.ring_pages * PAGE_BYTES)
        return whole[sent:]

    def write(self, relid: RelId, packet: RawPacket) -> bool:
        """Write into the ring to the guest and signal; False where there is no ring or no room."""
        channel = self.channel(relid)
        if channel is None:
            return False
        try:
            must_signal = put(Ring(self.shared(channel)), packet)
        except (RingFull, RingCorrupt):
            return False
        self.emit(
            PacketPublished(
                "host-to-guest",
                relid,
                packet.packet_type,
                packet.transaction_id,  # type: ignore[arg-type]  # forged, and all the same one
                packet.flags,
                packet.payload,
            )
        )
        if packet.lies:
            self.emit(LengthForged(relid, packet.offset8, packet.said_len8))
        if must_signal:
            self.machine.door.synic_event(CPU_0, relid)
        return True

    def at_once(self, act: Callable[[], None]) -> None:
        """Do it as soon as the guest's code lets anybody else run."""
        self.engine.later(AT_ONCE_NS, "forged packet", act)

    def forge_write_index(self, relid: RelId, value: int) -> None:
        """The host's index of the ring to the guest is ``value`` now."""
        channel = self.channel(relid)
        if channel is not None:
            forge(self.shared(channel), WRITE_INDEX, value)
            self.emit(IndexForged(relid, "to-guest", value))
            self.machine.door.synic_event(CPU_0, relid)

    def put_in_step(self, relid: RelId) -> None:
        """Whatever was written and not read is forgotten: the ring is empty where its reader is."""
        channel = self.channel(relid)
        if channel is not None:
            ring = Ring(self.shared(channel))
            ring.write_index = ring.read_index

    def post(self, payload: bytes) -> None:
        """A control message that the host has not sent."""
        self.emit(MessagePosted("host-to-guest", payload))
        self.machine.door.synic_message(CPU_0, synic_message(payload))
