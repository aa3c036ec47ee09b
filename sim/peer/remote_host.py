# SPDX-License-Identifier: MIT
"""A host in another process under test: what the suite asks, as frames of the peer port.

Implements ``HostUnderTest``. Knows no case and no transport.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, TypeVar
from uuid import UUID

from protocol.codec import WireRecord
from protocol.hypercall import HypercallResult
from protocol.ids import Vector, VpIndex
from protocol.peer_orders import ORDERS, words_of
from protocol.peer_port import (
    DONE_OK,
    FLAG_DRIVES,
    ROLE_GUEST,
    Close,
    Done,
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
    Released,
    Rescind,
)
from protocol.ring import DESCRIPTOR_BYTES, Packet, Ring
from sim.conformance.case import HostCase, NotOffered
from sim.conformance.host_port import Access, Channel, HostUnderTest
from sim.conformance.own_host import BUSES, VCPUS
from sim.peer.peers import Peers
from sim.peer.port_trace import PortTrace
from sim.peer.talk import Talk, unexpected
from sim.peer.text import text_of
from sim.trace import Stamped

HELLO: Final = Hello(role=ROLE_GUEST, flags=FLAG_DRIVES, vps=VCPUS, name=b"vpcisim")
BUS_NUMBERS: Final[Mapping[str, int]] = {name: number for number, name in enumerate(BUSES)}
"""What ``configure`` says: one function; two; …"""
USUAL_BUS: Final = "one"  # what a host has without being told
ALIGNMENT: Final = 8  # of packets in a ring
A = TypeVar("A", bound=WireRecord)


class RemoteHost:
    """One host, fresh. Raises PeerFault wherever the peer does what none may do."""

    def __init__(self, talk: Talk, bus: str = USUAL_BUS) -> None:
        """Raises NotOffered for a bus that the host cannot have."""
        self._talk = talk
        clock, start_s = talk.wire.clock, talk.wire.clock()
        self._trace = PortTrace(lambda: round((clock() - start_s) * 1e9))
        self._offers: dict[Channel, UUID] = {}
        self._came: defaultdict[Channel, deque[Packet]] = defaultdict(deque)
        self._interrupts: list[tuple[VpIndex, Vector]] = []
        self._requests = 0
        self._begun: dict[int, int | None] = {}  # accesses, and what they gave
        self.name: Final = talk.name
        if bus != USUAL_BUS:
            self.order("configure", 0, bus=BUS_NUMBERS[bus])
        self._talk.settle(self._take)

    def trace(self) -> list[Stamped]:
        """What passed so far, at times of the real clock."""
        return self._trace.events

    def offers(self) -> dict[Channel, UUID]:
        """By the host's own numbers."""
        return dict(self._offers)

    def open(self, channel: Channel) -> int:
        """OPEN, and the status of OPENED. Raises NotOffered for a channel that was rescinded."""
        if channel not in self._offers:
            raise NotOffered("over the peer port nobody opens a channel that was rescinded")
        return self._ask(Open(channel), Opened, lambda answer: answer.channel == channel).status

    def close(self, channel: Channel) -> None:
        """CLOSE."""
        self._tell(Close(channel))

    def release(self, channel: Channel) -> None:
        """RELEASED."""
        self._tell(Released(channel))

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        """PACKET."""
        self._tell(PacketFrame(channel, packet_type, flags, transaction_id, payload))

    def receive(self, channel: Channel) -> list[Packet]:
        """What came until the host said PONG."""
        self._talk.settle(self._take)
        came = self._came[channel]
        found = list(came)
        came.clear()
        return found

    def signals(self, channel: Channel) -> int:
        """A packet that came is a signal. Raises NotOffered."""
        del channel
        raise NotOffered("the rings of a host in another process cannot be seen")

    def rings(self, channel: Channel) -> tuple[Ring, Ring]:
        """Nobody here sees them. Raises NotOffered."""
        del channel
        raise NotOffered("the rings of a host in another process cannot be seen")

    def signal(self, channel: Channel) -> None:
        """Nor is there a signal without a packet. Raises NotOffered."""
        del channel
        raise NotOffered("the rings of a host in another process cannot be seen")

    def mmio_read(self, gpa: int, size: int) -> int:
        """MMIO_READ, and its value."""
        request = self._request()
        return self._ask(MmioRead(request, size, gpa), MmioValue, _answers(request)).value

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        """MMIO_WRITE, until it is done."""
        request = self._request()
        self._ask(MmioWrite(request, size, gpa, value), MmioWritten, _answers(request))

    def begin_read(self, gpa: int, size: int) -> Access:
        """MMIO_READ, without waiting."""
        return self._begin(MmioRead(self._request(), size, gpa))

    def begin_write(self, gpa: int, size: int, value: int) -> Access:
        """MMIO_WRITE, without waiting."""
        return self._begin(MmioWrite(self._request(), size, gpa, value))

    def _begin(self, frame: MmioRead | MmioWrite) -> Access:
        self._begun[frame.request] = None
        self._tell(frame)
        return _Begun(self, frame.request)

    def look(self, request: int) -> int | None:
        """What an access that was begun gave, 0 for a write; None while it goes on."""
        self._talk.settle(self._take)
        return self._begun[request]

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """HYPERCALL of processor 0, and its result."""
        request = self._request()
        call = Hypercall(request, 0, control, data)
        done = self._ask(call, HypercallDone, _answers(request))
        return HypercallResult(done.result, done.output)

    def interrupts(self) -> list[tuple[VpIndex, Vector]]:
        """Those that came until the host said PONG."""
        self._talk.settle(self._take)
        found, self._interrupts = self._interrupts, []
        return found

    def pass_time(self, for_ns: int) -> None:
        """An order to a host whose time is its own. Raises NotOffered where it is not."""
        self.order("pass-time", 0, for_ns=for_ns)

    def order(self, what: str, channel: Channel, **arguments: int | str | tuple[int, ...]) -> None:
        """ORDER, until it is done. Raises NotOffered where the host cannot, or does not."""
        name = what.replace("_", "-")
        if name not in ORDERS or not self._talk.can(name):
            raise NotOffered(f"the host cannot be ordered to {name}")
        request = self._request()
        frame = Order(request, ORDERS[name].number, channel, 0, words_of(name, arguments))
        done = self._ask(frame, Done, _answers(request))
        if done.status != DONE_OK:
            why = text_of(done.text) or f"it did not {name}"
            raise NotOffered(why)

    def _request(self) -> int:
        self._requests += 1
        return self._requests

    def _tell(self, frame: WireRecord) -> None:
        self._trace.passed(frame, "guest-to-host")
        self._talk.tell(frame)

    def _ask(self, frame: WireRecord, kind: type[A], is_answer: Callable[[A], bool]) -> A:
        """Say something and wait for its answer; what comes before that is kept."""
        self._talk.turn()
        self._tell(frame)
        while True:
            heard = self._talk.hear()
            if isinstance(heard, kind) and is_answer(heard):
                self._trace.passed(heard, "host-to-guest")
                return heard
            self._take(heard)

    def _take(self, frame: WireRecord) -> None:
        """What the host says of itself."""
        taken = _TAKE.get(type(frame))
        if taken is None:
            raise unexpected(frame)
        self._trace.passed(frame, "host-to-guest")
        taken(self, frame)

    def offered(self, frame: Offered) -> None:
        self._offers[frame.channel] = frame.instance

    def rescinded(self, frame: Rescind) -> None:
        self._offers.pop(frame.channel, None)

    def packet(self, frame: PacketFrame) -> None:
        padding = bytes(-len(frame.payload) % ALIGNMENT)
        payload = frame.payload + padding
        packet = Packet(
            frame.packet_type,
            frame.flags,
            frame.transaction_id,
            payload,
            DESCRIPTOR_BYTES + len(payload),
        )
        self._came[frame.channel].append(packet)

    def accessed(self, frame: MmioValue | MmioWritten) -> None:
        if self._begun.get(frame.request, 0) is not None:
            raise unexpected(frame)
        self._begun[frame.request] = frame.value if isinstance(frame, MmioValue) else 0

    def interrupted(self, frame: Interrupt) -> None:
        self._interrupts.append((VpIndex(frame.vp), Vector(frame.vector)))


class _Begun(NamedTuple):
    """An access that was begun."""

    host: RemoteHost
    request: int

    def ended(self) -> bool:
        """Whether its answer has come."""
        return self.host.look(self.request) is not None

    def value(self) -> int:
        """What it was answered with."""
        return self.host.look(self.request) or 0


def _answers(request: int) -> Callable[[Any], bool]:
    return lambda answer: answer.request == request


_TAKE: Final[Mapping[type[WireRecord], Callable[[RemoteHost, Any], None]]] = {
    Offered: RemoteHost.offered,
    Rescind: RemoteHost.rescinded,
    PacketFrame: RemoteHost.packet,
    Interrupt: RemoteHost.interrupted,
    MmioValue: RemoteHost.accessed,
    MmioWritten: RemoteHost.accessed,
}


def hosts_of(peers: Peers) -> Callable[[HostCase, str], HostUnderTest]:
    """What the suite makes hosts with: a fresh peer for each case."""

    def fresh(case: HostCase, _version: str) -> HostUnderTest:
        if case.knobs:
            raise NotOffered("a host in another process cannot be set up for this case")
        return RemoteHost(peers.fresh(HELLO), case.bus)

    return fresh
