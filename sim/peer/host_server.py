# SPDX-License-Identifier: MIT
"""Our host at the other end of the peer port, for one life of a guest in another process.

To a suite that drives it nothing happens but before a PONG; to everybody else it answers as soon as
there is nothing more to read. Knows no transport, and of the host no more than a suite does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from protocol.codec import WireRecord
from protocol.errors import LocalProtocolError, ProtocolError
from protocol.link import InterruptDelivered, PacketPublished
from protocol.peer_orders import HOST_ORDERS, ORDER_NAMES, arguments_of, mask_of
from protocol.peer_port import (
    DONE_NOT_SUPPORTED,
    DONE_OK,
    DONE_REFUSED,
    FLAG_DRIVES,
    ROLE_HOST,
    TEXT_BYTES_MAX,
    Close,
    Done,
    Error,
    Hello,
    Hypercall,
    HypercallDone,
    Interrupt,
    MmioRead,
    MmioValue,
    MmioWrite,
    MmioWritten,
    Offered,
    Open,
    Opened,
    Order,
    PacketFrame,
    Ping,
    Pong,
    Released,
    Rescind,
)
from protocol.ring import RingFull
from protocol.status import STATUS_SUCCESS
from sim.conformance.case import NotOffered
from sim.conformance.host_port import Channel
from sim.conformance.own_host import OwnHost
from sim.peer.bare_guest import Begun
from sim.peer.fault import PeerFault, PeerLeft, nonsense
from sim.peer.limits import EVENTS_MAX
from sim.peer.remote_host import BUS_NUMBERS, USUAL_BUS
from sim.peer.talk import Talk, check_size, unexpected
from sim.peer.wire import Wire

OPENS_MAX: Final = 1_000  # of one life: each has pages of its own
BUS_NAMES: Final[Mapping[int, str]] = {number: name for name, number in BUS_NUMBERS.items()}
HELLO: Final = Hello(role=ROLE_HOST, orders=mask_of(tuple(HOST_ORDERS)), name=b"vpcisim")
Make = Callable[[str], OwnHost]  # of a bus's name


class HostServer:
    """One life. ``host`` is the one that is served."""

    def __init__(self, wire: Wire, make: Make) -> None:
        """Greets the guest. Raises PeerFault where it is none."""
        self._talk: Final = Talk(wire, HELLO)
        self._make: Final = make
        self._driven: Final = bool(self._talk.theirs.flags & FLAG_DRIVES)
        self._known: dict[Channel, None] = {}
        self._open: dict[Channel, None] = {}
        self._opens = 0
        self._begun: list[tuple[Begun, WireRecord]] = []  # accesses, and what tells of their end
        self._told = 0  # events whose packets were sent
        self.host = make(USUAL_BUS)

    @property
    def guest(self) -> str:
        """How the guest calls itself."""
        return self._talk.name

    def serve(self, show: Callable[[], None], idle_s: float | None = None) -> None:
        """Until the guest leaves, or says nothing for so long.

        ``show`` is called whenever something has happened.

        Raises PeerFault for a guest that does not leave in peace; it has been told why by then.
        """
        try:
            self._offers()
            while True:
                self._step(idle_s)
                show()
        except PeerLeft:
            return
        except PeerFault as fault:
            self._talk.tell(Error(str(fault).encode()[:TEXT_BYTES_MAX]))
            raise

    def _step(self, idle_s: float | None) -> None:
        """Take a frame; without one that waits, act."""
        frame = self._talk.listen(idle_s if self._driven else 0)
        if frame is None:
            self._act()
            frame = self._talk.listen(idle_s)
        if frame is None:
            raise PeerLeft("the peer has nothing to say any more")
        taken = _TAKE.get(type(frame))
        if taken is None:
            raise unexpected(frame)
        taken(self, frame)
        self._offers()
        self._end_accesses()
        if len(self.host.trace()) > EVENTS_MAX or self._opens > OPENS_MAX:
            raise PeerFault("the peer floods: this life is too long for one trace")

    def _act(self) -> None:
        """Let the host do what it has to do, and say what came of it."""
        for channel in self._open:
            self.host.receive(channel)  # makes room; the trace has the packets without padding
        self.host.interrupts()
        self._offers()
        self._end_accesses()
        trace = self.host.trace()
        for stamped in trace[self._told :]:
            frame = _frame_of(stamped.event)
            if frame is not None:
                self._talk.tell(frame)
        self._told = len(trace)

    def _offers(self) -> None:
        """Tell what is offered now and was not, and the other way round."""
        offers = self.host.offers()
        for channel in [known for known in self._known if known not in offers]:
            del self._known[channel]
            self._talk.tell(Rescind(channel))
        for channel, instance in offers.items():
            if channel not in self._known:
                self._known[channel] = None
                self._talk.tell(Offered(channel, 0, instance))

    def _end_accesses(self) -> None:
        """Tell those processors whose accesses have ended."""
        for ended in [begun for begun in self._begun if begun[0].ended()]:
            self._begun.remove(ended)
            self._talk.tell(ended[1])

    # What the guest says

    def opened(self, frame: Open) -> None:
        self._opens += 1
        status = self.host.open(frame.channel) & 0xFFFF_FFFF
        if status == STATUS_SUCCESS:
            self._open[frame.channel] = None
        self._talk.tell(Opened(frame.channel, status))

    def closed(self, frame: Close) -> None:
        if self._open.pop(frame.channel, self) is self:
            raise nonsense(f"channel {frame.channel} is not open")
        self.host.close(frame.channel)

    def released(self, frame: Released) -> None:
        if frame.channel in self._known or frame.channel in self._open:
            why = "is open" if frame.channel in self._open else "was not rescinded"
            raise nonsense(f"channel {frame.channel} {why}")
        self.host.release(frame.channel)

    def packet(self, frame: PacketFrame) -> None:
        if frame.channel not in self._open:
            raise nonsense(f"channel {frame.channel} is not open")
        packet = (frame.packet_type, frame.flags, frame.transaction_id, frame.payload)
        try:
            self.host.send(frame.channel, *packet)
        except RingFull:
            self._act()  # the host reads, and then there is room
            self._send_again(frame.channel, *packet)

    def _send_again(self, channel: Channel, *packet: Any) -> None:
        try:
            self.host.send(channel, *packet)
        except LocalProtocolError as full:
            raise PeerFault(f"the peer floods: {full}") from None

    def mmio_read(self, frame: MmioRead) -> None:
        check_size(frame.size)
        access = self.host.begin_read(frame.gpa, frame.size)
        self._begun.append((access, MmioValue(frame.request, 0, access.value())))

    def mmio_write(self, frame: MmioWrite) -> None:
        check_size(frame.size)
        value = frame.value & (1 << 8 * frame.size) - 1
        access = self.host.begin_write(frame.gpa, frame.size, value)
        self._begun.append((access, MmioWritten(frame.request)))

    def hypercall(self, frame: Hypercall) -> None:
        result = self.host.hypercall(frame.control, frame.data)
        self._talk.tell(HypercallDone(frame.request, 0, result.register, result.output))

    def pinged(self, frame: Ping) -> None:
        self._act()
        self._talk.tell(Pong(frame.token))

    def ordered(self, frame: Order) -> None:
        status, why = self._order(frame)
        self._offers()  # before DONE, so that who gave the order knows
        self._end_accesses()
        self._talk.tell(Done(frame.request, status, why.encode()[:TEXT_BYTES_MAX]))

    def _order(self, frame: Order) -> tuple[int, str]:
        name = ORDER_NAMES.get(frame.order, "")
        if name not in HOST_ORDERS:
            return DONE_NOT_SUPPORTED, f"no host has an order {frame.order}"
        try:
            arguments: dict[str, Any] = dict(arguments_of(name, frame.words))
            special = _ORDERS.get(name)
            if special is None:
                self.host.order(name, frame.channel, **arguments)
            else:
                special(self, **arguments)
        except (NotOffered, ProtocolError, ValueError) as refused:
            return DONE_REFUSED, str(refused)
        return DONE_OK, ""

    def configure(self, bus: int) -> None:
        """Another bus in place of the usual one, at the same number."""
        if self._opens or bus not in BUS_NAMES:
            raise ValueError(f"bus {bus} cannot be had" if bus not in BUS_NAMES else "too late")
        self.host = self._make(BUS_NAMES[bus])

    def pass_time(self, for_ns: int) -> None:
        self.host.pass_time(for_ns)


def _frame_of(event: object) -> WireRecord | None:
    """What the guest is told of an event."""
    if isinstance(event, InterruptDelivered):
        return Interrupt(event.vp, event.vector)
    if isinstance(event, PacketPublished) and event.direction == "host-to-guest":
        head = (event.relid, event.packet_type, event.flags)
        return PacketFrame(*head, event.transaction_id, event.payload)
    return None


_TAKE: Final[Mapping[type[WireRecord], Callable[[HostServer, Any], None]]] = {
    Open: HostServer.opened,
    Close: HostServer.closed,
    Released: HostServer.released,
    PacketFrame: HostServer.packet,
    MmioRead: HostServer.mmio_read,
    MmioWrite: HostServer.mmio_write,
    Hypercall: HostServer.hypercall,
    Ping: HostServer.pinged,
    Order: HostServer.ordered,
}
_ORDERS: Final[Mapping[str, Callable[..., None]]] = {
    "configure": HostServer.configure,
    "pass-time": HostServer.pass_time,
}
