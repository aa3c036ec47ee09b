# SPDX-License-Identifier: MIT
"""What a law is: a sentence about every lawful run, and the handlers that notice when it is broken.

A law folds over a trace and keeps what it needs of it. It sees events only: no object of the guest
or the host, so that it also judges what another process wrote down. Knows no law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple, Protocol, TypeAlias

from protocol.link import Direction, PacketPublished
from protocol.vpci import MessageType, PciChildMessage


class OpenItem(NamedTuple):
    """The law is broken in a way that Linux is known for: open item ``item`` (``O4``)."""

    item: str
    message: str


ANY: Final = b""
HEAD_BYTES: Final = 4  # of a vPCI message: its type
ASSIGN_MESSAGES: Final = (
    MessageType.PCI_RESOURCES_ASSIGNED,
    MessageType.PCI_RESOURCES_ASSIGNED2,
    MessageType.PCI_RESOURCES_ASSIGNED3,
)
CREATE_MESSAGES: Final = (
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE2,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE3,
)
NO_SLOT: Final = -1
HEADS_KEPT: Final = 4096  # message types and slots, of all devices of the largest built-in scenario


class LawRaised(Exception):
    """A law's own code failed; one line: which law, and what it raised."""


class Message(NamedTuple):
    """Ring packets of one vPCI message, or all in one direction, as something a law can see."""

    direction: Direction
    head: bytes = ANY  # the payload's first bytes: the message type


FROM_GUEST: Final = Message("guest-to-host")
FROM_HOST: Final = Message("host-to-guest")


class Awake(Enum):
    """Not broken, but from the next event on the law wants to see its second table as well."""

    AWAKE = 0


AWAKE: Final = Awake.AWAKE

# What a handler says: how the law is broken, or None.
Finding: TypeAlias = str | OpenItem | Awake | None
# (law, event, simulated nanoseconds, who was running); contexts can be told apart, nothing more.
Handler: TypeAlias = Callable[[Any, Any, int, object], Finding]
Sees: TypeAlias = Mapping[type | Message, Handler]


class Law(Protocol):
    """One law, made anew for each trace; what it keeps of the trace is its instance's.

    ``name`` is the law in words, ``kind`` the violation kind it ends in. ``sees`` is the class's:
    which of its methods takes which type of event, or which message. What is frequent and matters
    only from some moment on is in ``sees_awake``; the handler that notices that moment says AWAKE.
    A law that keeps anything of the guest forgets it when the guest's kernel crashes: another one
    may follow, and begins anew.
    """

    name: str
    kind: str
    sees: ClassVar[Sees]
    sees_awake: ClassVar[Sees] = {}

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


def forget(kept: set[Any] | dict[Any, Any], channel: int | str) -> None:
    """Drop what a law keeps of a channel's earlier life: the keys that begin with its relid or bus.

    Called at every offer, and mostly for nothing.
    """
    if not kept:
        return
    for place in [place for place in kept if place[0] == channel]:
        if isinstance(kept, dict):
            del kept[place]
        else:
            kept.remove(place)


def forget_all(*kept: set[Any] | dict[Any, Any]) -> None:
    """Drop what a law keeps of a kernel that has crashed: nothing is owed by the dead."""
    for each in kept:
        each.clear()


def slot_of(packet: PacketPublished) -> int:
    """The function that a message is about: behind its type, in every message that names one.

    NO_SLOT for a message that is too short to name any.
    """
    return _slot(packet.payload[: PciChildMessage.SIZE])


def slot_named(wslot: int) -> str:
    """How a finding names what :func:`slot_of` gave."""
    return "no slot" if wslot == NO_SLOT else f"slot {wslot:#x}"


@lru_cache(maxsize=HEADS_KEPT)
def _slot(head: bytes) -> int:
    return PciChildMessage.parse(head).wslot if len(head) == PciChildMessage.SIZE else NO_SLOT
