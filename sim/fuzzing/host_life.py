# SPDX-License-Identifier: MIT
"""One life of a host opposite a guest that writes what it likes.

The dice choose the kind of host, how far the conversation gets before it goes wrong, and every
packet. After each that the host reads, what it says, what it holds and where it stands is checked.
What is right and wrong is ``host_laws``' and ``host_answers``' to say; what is done besides sending
packets, ``host_steps``'.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Final

from host.bus import VpciBus
from host.profiles import PROFILES
from host.vsp import Phase, VspState
from host.vsp.inputs import PacketReceived
from protocol.errors import LocalProtocolError
from protocol.ids import TransactionId
from protocol.ring import Packet, RingCorrupt, RingFull
from protocol.versions import vpci_dialect
from protocol.vpci import MessageType, PciBusD0Entry, PciMessage, PciVersionRequest
from sim.fuzzing.dice import Dice, pick
from sim.fuzzing.host_answers import Told, followable, packet_complaints, unanswered
from sim.fuzzing.host_laws import HAS_CHANNEL, complaints, leftovers
from sim.fuzzing.host_settings import BUS, SETTINGS
from sim.fuzzing.mutations import mutate
from sim.fuzzing.packets import WINDOW, RawPacket, creating, from_a_guest
from sim.fuzzing.ring_end import put, unread
from sim.fuzzing.telling import Trail
from sim.peer.hand_guest import HandGuest

WANTS_COMPLETION: Final = 1
READS: Final = HAS_CHANNEL - {Phase.STOPPED}


class HostLife:
    """A partition with one bus, and the guest by hand opposite it.

    ``recorded`` are right packets to change besides those that are made here. Every method raises
    Broken for what is not as it must be.
    """

    def __init__(self, dice: Dice, recorded: Sequence[bytes] = ()) -> None:
        self.trail = Trail()
        self.dice = dice
        self.setting = pick(dice, SETTINGS)
        self.pool = (*from_a_guest(self.setting.slots), *recorded)
        self.events: list[object] = []
        self.guest = HandGuest(self.setting.machine(), self.events.append)
        self.relid = self.guest.partition.offer(BUS)
        self._number = 0
        self.posted = 0  # control messages of any kind since the guest connected
        self._written: list[RawPacket] = []  # and not yet judged

    @property
    def bus(self) -> VpciBus:
        """The bus as it is now."""
        return self.guest.partition.bus(BUS)

    # The way that a driver goes

    def start(self) -> None:
        """Connect anew, whatever there was, and open the channel."""
        guest, partition = self.guest, self.guest.partition
        self.trail.step("start")
        partition.power_off()
        guest.run()
        self.posted = 0
        if self.bus.state.phase is Phase.GONE:
            partition.offer(BUS)
        guest.connect()
        self.relid = self.bus.relid
        guest.open(self.relid)
        self.check([] if self.bus.state.phase is Phase.FRESH else ["the channel does not open"])

    def reopen(self) -> None:
        """Close the channel and open it again: whatever befell it, a driver can go on."""
        self.trail.step("reopen")
        guest, relid = self.guest, self.relid
        if self.bus.state.phase in HAS_CHANNEL:
            guest.close(relid)
            self.check([])
            guest.rings(relid).empty()
            guest.post(guest.opening(relid)[-1])
            guest.run()
        if self.bus.state.phase is not Phase.FRESH:
            self.start()

    def go_on(self) -> None:
        """Send what a driver would, up to a point that the dice choose."""
        steps = self._rightly()
        survived = self.trail.survived
        for payload in steps[: self.dice.below(len(steps) + 1)]:
            self.write(RawPacket(payload, transaction_id=self.next_id(), flags=WANTS_COMPLETION))
        self.trail.survived = survived  # what a driver sends is no feat to live through

    def _rightly(self) -> tuple[bytes, ...]:
        dialect = vpci_dialect(self.setting.version)
        slots = self.setting.slots
        return (
            PciVersionRequest(protocol_version=dialect.version).build(),
            PciMessage(MessageType.PCI_QUERY_BUS_RELATIONS).build(),
            PciBusD0Entry(mmio_base=WINDOW).build(),
            *(dialect.resources_assigned(wslot=slot).build() for slot in slots),
            *(creating(dialect, slot) for slot in slots),
        )

    # Packets

    def next_id(self) -> int:
        """A transaction id that was not used before."""
        self._number += 1
        return self._number

    def made_up(self) -> tuple[RawPacket, ...]:
        """A right packet that is no longer right, or comes when it should not."""
        dice = self.dice
        wants = WANTS_COMPLETION if dice.below(4) else 0
        right = RawPacket(pick(dice, self.pool), transaction_id=self.next_id(), flags=wants)
        return mutate(dice, right, self.pool)

    def write(self, packet: RawPacket) -> None:
        """Write a packet, let the host run, and check what came of it."""
        before = self.bus.state
        if not self.put(packet):
            return
        answers = self.run()
        self.check(self._judged(packet, before, answers) if before.phase in READS else [])
        if packet.lies or self.bus.state.phase is Phase.STOPPED:
            self.reopen()

    def write_all(self, packets: Iterable[RawPacket]) -> None:
        """Write as many as there is room for, let the host run, and check what came of them."""
        before = self.bus.state
        written = [packet for packet in packets if self.put(packet)]
        answers = self.run()
        seen = [self._seen(packet) for packet in written if followable(packet)]
        reads = {before.phase, self.bus.state.phase} <= READS
        told = Told(self.setting.profile, before, self.bus.state, self.events, answers)
        self.check(unanswered(told, seen) if reads else [])

    def _judged(self, packet: RawPacket, before: VspState, answers: list[Packet]) -> list[str]:
        """What was wrong with how it was dealt with."""
        after = self.bus.state
        if packet.lies:
            return []  # what the host has read is something else
        if not followable(packet):
            return [] if after.phase is Phase.STOPPED else ["it has read what it cannot follow"]
        told = Told(self.setting.profile, before, after, self.events, answers)
        return list(packet_complaints(told, self._seen(packet)))

    def _seen(self, packet: RawPacket) -> PacketReceived:
        """A packet as the host reads it."""
        knobs = PROFILES[self.setting.profile].knobs
        return PacketReceived(
            packet.packet_type,
            TransactionId(packet.transaction_id),
            bool(packet.flags) and (packet.transaction_id != 0 or knobs.id_zero_answered),
            packet.payload + bytes(-len(packet.payload) % 8),
        )

    def put(self, packet: RawPacket) -> bool:
        """Write and signal; False where there is no room, or no ring that could be written."""
        if not self._written:
            self.events.clear()
        try:
            must_signal = put(self.guest.rings(self.relid).to_host, packet)
        except (RingFull, RingCorrupt):
            return False
        self._written.append(packet)
        self.trail.packet(packet)
        if must_signal:
            self.guest.signal(self.relid)
        return True

    def run(self) -> list[Packet]:
        """Let the host do what it has to do: everything that it has written meanwhile."""
        answers: list[Packet] = []
        self.guest.run()
        while more := self.guest.read(self.relid):
            answers += more
            self.guest.run()
        return answers

    def check(self, found: list[str]) -> None:
        """Raises Broken for what was found, and for what is unlawful now; else all is survived."""
        lists = 1 + self.posted  # at most: that of the rings, and one a message
        found = found + complaints(self.setting.profile, self.guest.partition, self.bus, lists)
        if found:
            raise self.trail.broken([f"{self.setting}", *found])
        written, self._written = self._written, []
        self.trail.survive(self._unread(written))
        self.guest.messages.clear()
        self.guest.signals.clear()

    def _unread(self, written: list[RawPacket]) -> int:
        """How many of the packets the host has not even looked at."""
        left = unread(self.guest.rings(self.relid).to_host, written) if written else 0
        if left and self.bus.state.phase is Phase.STOPPED and not followable(written[-left]):
            left -= 1  # it has stopped at this one, and left it there
        return left

    def end(self) -> None:
        """The host takes the bus back, and nothing is left of it."""
        self.trail.step("rescind")
        with contextlib.suppress(LocalProtocolError):
            self.guest.partition.rescind(BUS)
        self.guest.run()
        self.check(leftovers(self.guest.partition, self.bus))
