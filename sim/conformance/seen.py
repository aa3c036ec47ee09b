# SPDX-License-Identifier: MIT
"""What a guest's case reads: a run, as packets, register accesses and hypercalls.

What crossed the border counts, so that the same check judges the reference guest, the real driver
and a guest in another process. There are two exceptions: what the rings' words were, which nobody
sees of a guest in another process, and what whoever asked a driver for something was told, which
``result.errors`` has. Knows no case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import Final, NamedTuple, TypeVar

import msgspec

from protocol import vmbus, vpci
from protocol.errors import WireFormatError
from protocol.link import Direction, MessagePosted, PacketPublished
from protocol.versions import Dialect
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND, ChannelMessageType
from protocol.vpci import MessageType
from sim.conformance.case import Nonconforming
from sim.conformance.ring_looks import RingLook
from sim.result import RunResult
from sim.trace import Stamped

E = TypeVar("E", bound=msgspec.Struct)
T = TypeVar("T")


class SeenPacket(NamedTuple):
    """One ring packet; ``seq`` is its place in the trace, ``name`` the message's."""

    seq: int
    at_ns: int
    name: str
    transaction_id: int
    flags: int
    payload: bytes


class Seen:
    """One run at the version that the case is about; ``rings`` are their words, in order."""

    def __init__(
        self, result: RunResult, dialect: Dialect, rings: tuple[RingLook, ...] = ()
    ) -> None:
        self.rings: Final = rings
        self.result: Final = result
        self.dialect: Final = dialect
        self.trace: Final[tuple[Stamped, ...]] = result.trace

    # Packets

    def sent(self, *types: MessageType) -> list[SeenPacket]:
        """The guest's in-band packets of these types, of all types if none is given."""
        return self._packets("guest-to-host", types)

    def told(self, *types: MessageType) -> list[SeenPacket]:
        """The host's unsolicited packets, likewise."""
        return self._packets("host-to-guest", types)

    def only(self, message: MessageType) -> SeenPacket:
        """The one such packet that the guest sent. Raises Nonconforming for none or more."""
        found = self.sent(message)
        expect_count(found, 1, f"{message.name} were sent")
        return found[0]

    def none(self, *messages: MessageType) -> None:
        """Raise Nonconforming if the guest sent one of these."""
        for packet in self.sent(*messages):
            raise Nonconforming(f"{packet.name} was sent", packet.seq)

    def answer_to(self, request: SeenPacket) -> SeenPacket | None:
        """The completion of a request, None if none came."""
        later = (s for s in self.trace if s.seq > request.seq)
        for stamped in later:
            event = stamped.event
            if (
                isinstance(event, PacketPublished)
                and event.packet_type == VM_PKT_COMP
                and event.transaction_id == request.transaction_id
            ):
                return _packet(stamped, event)
        return None

    # Control messages, registers, hypercalls

    def posted(
        self, message: ChannelMessageType, direction: Direction = "guest-to-host"
    ) -> list[Stamped]:
        """The control messages of that type."""
        return [
            stamped
            for stamped in self.trace
            if isinstance(stamped.event, MessagePosted)
            and stamped.event.direction == direction
            and _control_type(stamped.event.payload) == message
        ]

    def events(self, kind: type[E]) -> list[tuple[int, E]]:
        """The events of one kind, each with its place in the trace."""
        return [(s.seq, s.event) for s in self.trace if isinstance(s.event, kind)]

    def _packets(self, direction: Direction, types: Iterable[MessageType]) -> list[SeenPacket]:
        wanted = frozenset(kind.name for kind in types)
        found = []
        for stamped in self.trace:
            event = stamped.event
            if not isinstance(event, PacketPublished) or event.direction != direction:
                continue
            if event.packet_type == VM_PKT_DATA_INBAND:
                packet = _packet(stamped, event)
                if not wanted or packet.name in wanted:
                    found.append(packet)
        return found


def _packet(stamped: Stamped, event: PacketPublished) -> SeenPacket:
    return SeenPacket(
        stamped.seq,
        stamped.at_ns,
        "completion" if event.packet_type == VM_PKT_COMP else _name(event.payload),
        event.transaction_id,
        event.flags,
        event.payload,
    )


def _name(payload: bytes) -> str:
    try:
        return vpci.message_name(payload)
    except WireFormatError:
        return "(too short)"


def _control_type(payload: bytes) -> int | None:
    """None for what is too short to have one."""
    try:
        return vmbus.message_type(payload)
    except WireFormatError:
        return None


def parsed(parse: Callable[[bytes], T], image: bytes, seq: int) -> T:
    """What the guest sent at that place. Raises Nonconforming where it cannot be read."""
    try:
        return parse(image)
    except WireFormatError as damaged:
        raise Nonconforming(f"what the guest sent cannot be read: {damaged}", seq) from None


def first_other(
    packets: Sequence[SeenPacket], said: Sequence[object], due: Sequence[object]
) -> int | None:
    """The place of the first packet that does not say what is due, None if there are too few.

    ``said`` is what each of them says.
    """
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(said, due, strict=False))
    others = packets[len(tuple(alike)) :]
    return others[0].seq if others else None


def expect_names(packets: Sequence[SeenPacket], due: Sequence[str], told: str) -> None:
    """Raise Nonconforming unless packets of these names come first, at the first other one.

    ``told`` begins the sentence that ends with what came instead.
    """
    names = [packet.name for packet in packets[: len(due)]]
    if names != [*due]:
        at = first_other(packets, names, due)
        raise Nonconforming(f"{told} {', '.join(names) or 'nothing'}", at)


def expect_count(packets: Sequence[SeenPacket], count: int, told: str) -> None:
    """Raise Nonconforming unless there are so many, at the first too many if there is one.

    ``told`` says of a number what it counts.
    """
    if len(packets) != count:
        at = packets[count].seq if len(packets) > count else None
        raise Nonconforming(f"{len(packets)} {told}, not {count}", at)


def expect_all(
    packets: Iterable[SeenPacket], holds: Callable[[SeenPacket], bool], what: str
) -> None:
    """Raise Nonconforming at the first packet for which it does not hold."""
    for packet in packets:
        if not holds(packet):
            raise Nonconforming(f"{packet.name} {what}", packet.seq)
