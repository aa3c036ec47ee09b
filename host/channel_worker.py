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
from host.vsp.inputs import PacketReceived
from protocol.errors import RemoteProtocolError
from protocol.ids import RelId, SlotNumber, TransactionId
from protocol.link import PacketPublished
from protocol.ring import TRAILER_BYTES, Ring, packet_bytes
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)

INVALIDATION_BYTES: Final = 16  # pci_dev_inval_block without its descriptor


class Owner(Protocol):
    """Who answers the packets and signals the guest."""

    def packet(self, packet: PacketReceived) -> None:
        """One packet, in order."""

    def invalidation_due(self, wslot: SlotNumber) -> None:
        """The ring has room and it is this slot's turn."""

    def ring_broken(self, reason: str) -> None:
        """The guest's ring cannot be followed any more."""

    def signal(self) -> None:
        """Set the channel's event flag."""


class ChannelWorker:
    """Both rings of an open channel.

    ``reply_room_bytes`` is the room that must be there before a request is read, 0 for none.
    """

    __slots__ = (
        "_cancel",
        "_clock",
        "_due",
        "_emit",
        "_in",
        "_label",
        "_out",
        "_outbox",
        "_owner",
        "_room",
        "_scheduled",
        "_stalled_until_ns",
        "_stopped",
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
        clock: Clock,
        emit: Callable[[object], None],
        window_ns: tuple[int, int],
        label: str,
        reply_room_bytes: int,
    ) -> None:
        self.relid = relid
        self._in = inbound
        self._out = outbound
        self._owner = owner
        self._clock = clock
        self._emit = emit
        self._window_ns = window_ns
        self._label = label
        self._room = min(reply_room_bytes, outbound.data_bytes - TRAILER_BYTES)
        self._outbox: deque[tuple[int, int, bytes]] = deque()
        self._due: list[SlotNumber] = []
        self._scheduled = False
        self._stopped = False
        self._stalled_until_ns = 0
        self._cancel: Cancel | None = None

    # What the owner asks

    def send(self, payload: bytes) -> None:
        """Send an unsolicited packet, behind whatever waits for room."""
        self._put(VM_PKT_DATA_INBAND, 0, payload)

    def complete(self, transaction_id: int, payload: bytes) -> None:
        """Send a completion, likewise."""
        self._put(VM_PKT_COMP, transaction_id, payload)

    def request_turn(self, wslot: SlotNumber) -> None:
        """Call ``invalidation_due`` at a turn with room for the notice."""
        self._due.append(wslot)
        self._schedule()

    def signalled(self) -> None:
        """The guest signalled: it wrote a packet, or made room."""
        self._schedule()

    def stall(self, until_ns: int) -> None:
        """Do nothing before this time, in simulated nanoseconds."""
        self._stalled_until_ns = until_ns

    def stop(self) -> None:
        """Never touch the rings again."""
        self._stopped = True
        self._outbox.clear()
        self._due.clear()
        if self._cancel is not None:
            self._cancel()
            self._cancel = None

    # Turns

    def _schedule(self) -> None:
        if self._scheduled or self._stopped:
            return
        self._scheduled = True
        window_ns = self._window_ns
        if self._stalled_until_ns:
            stalled_ns = max(0, self._stalled_until_ns - self._clock.now_ns())
            window_ns = (window_ns[0] + stalled_ns, window_ns[1] + stalled_ns)
        self._cancel = self._clock.later(window_ns, self._label, self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._cancel = None
        self._guarded(self._take_turn)

    def _guarded(self, action: Callable[[], object]) -> None:
        """A ring that cannot be followed ends the work on it, whoever was using it."""
        try:
            action()
        except RemoteProtocolError as broken:
            self.stop()
            self._owner.ring_broken(str(broken))

    def _take_turn(self) -> None:
        """One packet or one notice; without room for it, the guest's signal brings us back."""
        if self._outbox and not self._flush():
            return
        if self._due:
            if not self._wait_for(packet_bytes(INVALIDATION_BYTES)):
                return
            self._owner.invalidation_due(self._due.pop(0))
        elif not self._room or self._wait_for(self._room):
            self._serve_packet()
        else:
            return
        if not self._outbox and (self._due or self._in.read_index != self._in.write_index):
            self._schedule()

    def _serve_packet(self) -> None:
        packet = self._in.read()
        if packet is None:
            return
        if self._in.must_signal_space(packet.size + TRAILER_BYTES):
            self._owner.signal()
        wants = bool(packet.flags & VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED)
        transaction_id = TransactionId(packet.transaction_id)
        self._owner.packet(
            PacketReceived(packet.packet_type, transaction_id, wants, packet.payload)
        )

    # The ring to the guest

    def _put(self, packet_type: int, transaction_id: int, payload: bytes) -> None:
        if self._stopped:
            return
        self._outbox.append((packet_type, transaction_id, payload))
        if len(self._outbox) == 1:
            self._guarded(self._flush)

    def _flush(self) -> bool:
        """Write what waits, oldest first; True when nothing is left."""
        outbox = self._outbox
        while outbox:
            packet_type, transaction_id, payload = outbox[0]
            if not self._wait_for(packet_bytes(len(payload))):
                return False
            outbox.popleft()
            must_signal = self._out.write(packet_type, 0, transaction_id, payload)
            number = TransactionId(transaction_id)
            self._emit(
                PacketPublished("host-to-guest", self.relid, packet_type, number, 0, payload)
            )
            if must_signal:
                self._owner.signal()
        return True

    def _wait_for(self, needed_bytes: int) -> bool:
        """Whether a packet of this size fits; otherwise ask the reader to say when it does."""
        out = self._out
        if out.bytes_to_write() > needed_bytes:
            if out.pending_send_sz:
                out.pending_send_sz = 0
            return True
        out.pending_send_sz = needed_bytes
        return False
