# SPDX-License-Identifier: MIT
"""The messages of a run, read out of its trace: names, sizes, who sent them, what answers what.

Reads only what crossed the border, so it serves either guest and other people's traces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from host.events import ChannelMoved, ChannelOffered
from protocol import vmbus, vpci
from protocol.errors import WireFormatError
from protocol.ids import RelId
from protocol.link import Direction, MessagePosted, PacketPublished
from protocol.vmbus import VM_PKT_COMP
from sim.trace import Stamped

COMPLETION: Final = "VM_PKT_COMP"


class Message(msgspec.Struct, frozen=True):
    """One message. ``size`` is its payload's, in bytes.

    ``channel`` is the bus, None on the control plane; ``transaction_id`` is 0 where none was given
    and None on the control plane. ``answers`` names the request that a completion completes.
    """

    seq: int
    at_ns: int
    direction: Direction
    channel: str | None
    name: str
    size: int
    transaction_id: int | None
    answers: str | None = None


class MessageReader:
    """Turns stamped events into messages, remembering what completions answer."""

    def __init__(self) -> None:
        self._buses: dict[RelId, str] = {}
        self._asked: dict[tuple[RelId, int], str] = {}

    def bus_of(self, relid: RelId) -> str:
        """The bus behind a relid; the number itself while no offer told."""
        return self._buses.get(relid, f"relid {relid}")

    def read(self, stamped: Stamped) -> Message | None:
        """The message that this event is, or None."""
        event = stamped.event
        if isinstance(event, PacketPublished):
            return self._packet(stamped, event)
        if isinstance(event, MessagePosted):
            return Message(
                seq=stamped.seq,
                at_ns=stamped.at_ns,
                direction=event.direction,
                channel=None,
                name=_name(vmbus.message_name, event.payload),
                size=len(event.payload),
                transaction_id=None,
            )
        if isinstance(event, (ChannelOffered, ChannelMoved)):
            self._buses[event.relid] = event.bus
        return None

    def _packet(self, stamped: Stamped, event: PacketPublished) -> Message:
        key = (event.relid, event.transaction_id)
        answers = None
        if event.packet_type == VM_PKT_COMP:
            name, answers = COMPLETION, self._asked.pop(key, None)
        else:
            name = _name(vpci.message_name, event.payload)
            if event.flags:
                self._asked[key] = name
        return Message(
            seq=stamped.seq,
            at_ns=stamped.at_ns,
            direction=event.direction,
            channel=self.bus_of(event.relid),
            name=name,
            size=len(event.payload),
            transaction_id=event.transaction_id,
            answers=answers,
        )


def messages_of(events: Iterable[Stamped]) -> Iterator[Message]:
    """The messages of a run in their order."""
    reader = MessageReader()
    for stamped in events:
        message = reader.read(stamped)
        if message is not None:
            yield message


def _name(name_of: Callable[[bytes], str], payload: bytes) -> str:
    """A peer may send anything; what is too short to have a name is shown as such."""
    try:
        return name_of(payload)
    except WireFormatError:
        return "(damaged)"
