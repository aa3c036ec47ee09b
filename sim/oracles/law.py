# SPDX-License-Identifier: MIT
"""What a law is: a sentence about every lawful run, and the handlers that notice when it is broken.

A law folds over a trace and keeps what it needs of it. It sees events only: no object of the guest
or the host, so that it also judges what another process wrote down. Knows no law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

from protocol.link import Direction, PacketPublished
from protocol.vpci import MessageType, PciChildMessage


class OpenItem(NamedTuple):
    """The law is broken in a way that Linux is known for: open item ``item`` (``O4``)."""

    item: str
    message: str


HEAD_BYTES: Final = 4  # of a vPCI message: its type
HEADS_KEPT: Final = 4096  # message types and slots, of all devices of the largest built-in scenario


class LawRaised(Exception):
    """A law's own code failed; one line: which law, and what it raised."""


class Message(NamedTuple):
    """In-band ring packets of one vPCI message, as something a law can see."""

    direction: Direction
    head: bytes  # the payload's first bytes: the message type


# What a handler says: how the law is broken, or None.
Finding: TypeAlias = str | OpenItem | None
# (law, event, simulated nanoseconds, who was running); contexts can be told apart, nothing more.
Handler: TypeAlias = Callable[[Any, Any, int, object], Finding]
Sees: TypeAlias = Mapping[type | Message, Handler]


class Law(Protocol):
    """One law, made anew for each trace; what it keeps of the trace is its instance's.

    ``name`` is the law in words, ``kind`` the violation kind it ends in. ``sees`` is the class's:
    which of its methods takes which type of event, or which message.
    """

    name: str
    kind: str
    sees: ClassVar[Sees]

    def end(self, _at_ns: int) -> Finding:
        """The trace is over: nothing more can happen. Not asked if something ended it early."""
        return None


# Makes a law for one trace: a law's class is one.
LawFactory: TypeAlias = Callable[[], Law]


def to_host(message: MessageType) -> Message:
    """Packets by which the guest sends this message."""
    return Message("guest-to-host", int(message).to_bytes(HEAD_BYTES, "little"))


def to_guest(message: MessageType) -> Message:
    """Packets by which the host sends this message."""
    return Message("host-to-guest", int(message).to_bytes(HEAD_BYTES, "little"))


def slot_of(packet: PacketPublished) -> int:
    """The function that a message is about: behind its type, in every message that names one."""
    return _slot(packet.payload[: PciChildMessage.SIZE])


@lru_cache(maxsize=HEADS_KEPT)
def _slot(head: bytes) -> int:
    return PciChildMessage.parse(head).wslot
