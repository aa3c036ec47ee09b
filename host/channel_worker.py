# SPDX-License-Identifier: MIT
"""The host's end of one open channel: reads a packet a turn, writes what is to be sent, waits.

Strictly first in, first out, one packet per latency window. A ring without room is waited for,
nothing is dropped; until there is room nothing more is read, as in OpenVMM. Knows bytes and turns,
not messages.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from host.clock import Cancel, Clock
from host.events import IndexForged, LengthForged
from host.vsp.inputs import InvalidationDue, PacketReceived, RingBroken
from protocol.errors import RemoteProtocolError
from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.link import PacketPublished
from protocol.ring import DESCRIPTOR_BYTES, TRAILER_BYTES, Ring, RingFull, packet_bytes
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)

UNSOLICITED: Final = TransactionId(0)
INVALIDATION_BYTES: Final = 16  # pci_dev_inval_block without its descriptor


class Owner(Protocol):
    """Who answers the packets."""

    def feed(self, input_: PacketReceived | InvalidationDue | RingBroken) -> None:
        """One packet, in order; or a notice's turn with room for it; or the end of the work."""


class ChannelWorker:
    """Both rings of an open channel.

    ``on_signal`` sets the channel's event flag. ``reply_room_bytes`` is the room that must be
    there before a request is read, 0 for none. Without ``id_zero_answered`` a request with
    transaction id 0 wants no completion, whatever its flags say.
    """

    __slots__ = (
        "_cancel",
        "_clock",
        "_due",
        "_emit",
        "_id_zero_answered",
        "_in",
        "_label",
        "_on_signal",
        "_out",
        "_outbox",
        "_owner",
        "_room",
        "_scheduled",
        "_stalled_until_ns",
        "_stopped",
        "_waiting",
        "_window_ns",
        "relid",
    )

    def __init__(
        self,
        *,
        relid: RelId,
        inbound: Ring,
        outbound: Ring,
        owner: Owner,
        on_signal: Callable[[RelId], None],
        clock: Clock,
        emit: Callable[[object], None],
        window_ns: tuple[int, int],
        label: str,
        reply_room_bytes: int,
        id_zero_answered: bool,
    ) -> None:
        self.relid = relid
        self._in = inbound
        self._out = outbound
        self._owner = owner
        self._on_signal = on_signal
        self._clock = clock
        self._emit = emit
        self._window_ns = window_ns
        self._label = label
        self._id_zero_answered = id_zero_answered
        self._room = min(reply_room_bytes, outbound.data_bytes - TRAILER_BYTES)
        self._outbox: deque[tuple[int, TransactionId, bytes]] = deque()
        self._due: list[SlotNumber] = []
        self._scheduled = False
        self._stopped = False
        self._waiting = False  # pending_send_sz is set
        self._stalled_until_ns = 0
        self._cancel: Cancel | None = None

    @property
    def rings(self) -> tuple[Ring, Ring]:
        """The ring to the host and the one from it, for who looks at what is in them."""
        return self._in, self._out

    @property
    def packets_waiting(self) -> int:
        """Packets for the guest that wait for room in its ring."""
        return len(self._outbox)

    @property
    def notices_waiting(self) -> int:
        """Turns that were asked for and have not come."""
        return len(self._due)

    # What the owner asks

    def send(self, payload: bytes) -> None:
        """Send an unsolicited packet, behind whatever waits for room."""
        self._put(VM_PKT_DATA_INBAND, UNSOLICITED, payload)

    def complete(self, transaction_id: TransactionId, payload: bytes) -> None:
        """Send a completion, likewise."""
        self._put(VM_PKT_COMP, transaction_id, payload)

    def forge_index(self, ring: str, value: int) -> None:
        """A hostile host: its own index of one of the rings is ``value`` from now on.

        ``to-guest``: where it has written to, with an event; ``to-host``: where it has read to.
        """
        if ring == "to-guest":
            self._out.write_index = value
            self._on_signal(self.relid)
        else:
            self._in.read_index = value
        self._emit(IndexForged(self.relid, ring, value))

    def forge_lengths(self, payload: bytes, *, len8: int | None, offset8: int | None) -> None:
        """A hostile host: send a packet at once, if there is room, that says this of itself.

        In units of 8 bytes; None is the truth.
        """
        at = self._out.write_index
        if not self._publish(VM_PKT_DATA_INBAND, UNSOLICITED, payload):
            return
        if offset8 is None:
            offset8 = DESCRIPTOR_BYTES >> 3
        if len8 is None:
            len8 = packet_bytes(len(payload)) - TRAILER_BYTES >> 3
        self._out.forge_lengths(at, offset8, len8)
        self._emit(LengthForged(self.relid, offset8, len8))

    def request_turn(self, wslot: SlotNumber) -> None:
        """Call ``invalidation_due`` at a turn with room for the notice."""
        self._due.append(wslot)
        self.signalled()

    def signalled(self) -> None:
        """The guest signalled, as it wrote a packet or made room: take a turn soon."""
        if self._scheduled or self._stopped:
            return
        self._scheduled = True
        window_ns = self._window_ns
        if self._stalled_until_ns:
            stalled_ns = self._stalled_ns()
            window_ns = (window_ns[0] + stalled_ns, window_ns[1] + stalled_ns)
        self._cancel = self._clock.later(window_ns, self._label, self._turn)

    def stall(self, until_ns: int) -> None:
        """Neither read nor write before this time, in simulated nanoseconds.

        What is sent meanwhile waits as if there were no room; a stall that is under way is made
        longer, never shorter.
        """
        self._stalled_until_ns = max(until_ns, self._stalled_until_ns)
        if self._cancel is not None:  # the turn that is due comes later, too
            self._cancel()
            self._cancel = None
            self._scheduled = False
            self.signalled()

    def _stalled_ns(self) -> int:
        """How long the stall goes on; 0 when it is over, and then it is forgotten."""
        stalled_ns = self._stalled_until_ns - self._clock.now_ns()
        if stalled_ns > 0:
            return stalled_ns
        self._stalled_until_ns = 0
        return 0

    def stop(self) -> None:
        """Never touch the rings again."""
        self._stopped = True
        self._outbox.clear()
        self._due.clear()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    # Turns

    def _turn(self) -> None:
        self._scheduled = False
        self._cancel = None
        try:
            self._take_turn()
        except RemoteProtocolError as broken:
            self._give_up(broken)

    def _take_turn(self) -> None:
        """One packet or one notice; without room for it, the guest's signal brings us back."""
        if self._outbox and not self._flush():
            return
        if self._due:
            if not self._has_room(packet_bytes(INVALIDATION_BYTES)):
                return
            self._owner.feed(InvalidationDue(self._due.pop(0)))
        elif not self._room or self._has_room(self._room):
            self._serve_packet()
        else:
            return
        if not self._outbox and (self._due or not self._in.empty()):
            self.signalled()

    def _serve_packet(self) -> None:
        packet = self._in.read()
        if packet is None:
            return
        if self._in.must_signal_space(packet.size + TRAILER_BYTES):
            self._on_signal(self.relid)
        asked = packet.flags & VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED != 0
        number = TransactionId(packet.transaction_id)
        wants = asked and (number != UNSOLICITED or self._id_zero_answered)
        self._owner.feed(PacketReceived(packet.packet_type, number, wants, packet.payload))

    def _give_up(self, broken: RemoteProtocolError) -> None:
        """A ring that cannot be followed ends the work on it, whoever was using it."""
        self.stop()
        self._owner.feed(RingBroken(str(broken)))

    # The ring to the guest

    def _put(self, packet_type: int, transaction_id: TransactionId, payload: bytes) -> None:
        if self._stopped:
            return
        if self._stalled_until_ns and self._stalled_ns():
            self._outbox.append((packet_type, transaction_id, payload))
            self.signalled()
            return
        try:
            if self._outbox or not self._publish(packet_type, transaction_id, payload):
                self._outbox.append((packet_type, transaction_id, payload))
        except RemoteProtocolError as broken:
            self._give_up(broken)

    def _flush(self) -> bool:
        """Write what waits, oldest first; True when nothing is left."""
        outbox = self._outbox
        while outbox:
            if not self._publish(*outbox[0]):
                return False
            outbox.popleft()
        return True

    def _publish(self, packet_type: int, transaction_id: TransactionId, payload: bytes) -> bool:
        """Write a packet; without room ask the reader to say when there is some."""
        try:
            must_signal = self._out.write(packet_type, 0, transaction_id, payload)
        except RingFull:
            self._wait_for(packet_bytes(len(payload)))
            return False
        if self._waiting:
            self._wait_for(0)
        self._emit(
            PacketPublished("host-to-guest", self.relid, packet_type, transaction_id, 0, payload)
        )
        if must_signal:
            self._on_signal(self.relid)
        return True

    def _has_room(self, needed_bytes: int) -> bool:
        """Whether so many bytes are free; otherwise ask the reader to say when they are."""
        enough = self._out.bytes_to_write() > needed_bytes
        if self._waiting or not enough:
            self._wait_for(0 if enough else needed_bytes)
        return enough

    def _wait_for(self, needed_bytes: int) -> None:
        self._out.pending_send_sz = needed_bytes
        self._waiting = needed_bytes != 0
