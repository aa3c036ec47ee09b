# SPDX-License-Identifier: MIT
"""What a law is: a sentence about every lawful run, and the handlers that notice when it is broken.

A law folds over a trace and keeps what it needs of it. It sees events only: no object of the guest
or the host, so that it also judges what another process wrote down. Knows no law.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias

from protocol.link import Direction
from protocol.vpci import MessageType


class OpenItem(NamedTuple):
    """The law is broken in a way that Linux is known for: open item ``item`` (``O4``)."""

    item: str
    message: str


class LawRaised(Exception):
    """A law's own code failed; one line: which law, and what it raised."""


class Message(NamedTuple):
    """In-band ring packets of one vPCI message, as something a law can see."""

    direction: Direction
    head: bytes  # the payload's first four bytes: the message type


# What a handler says: how the law is broken, or None.
Finding: TypeAlias = str | OpenItem | None
# (event, simulated nanoseconds, who was running); contexts can be told apart and nothing more.
Handler: TypeAlias = Callable[[Any, int, object], Finding]
Sees: TypeAlias = Mapping[type | Message, Handler]


class Law(Protocol):
    """One law, made anew for each trace.

    ``name`` is the law in words, ``kind`` the violation kind it ends in. ``sees`` has a handler for
    each type of event, and for each message, that the law wants to see; it is read once.
    """

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def sees(self) -> Sees: ...

    def end(self, at_ns: int) -> Finding:
        """The trace is over: nothing more can happen. Not called if something ended it early."""


# Makes a law for one trace: a law's class is one.
LawFactory: TypeAlias = Callable[[], Law]


def to_host(message: MessageType) -> Message:
    """Packets by which the guest sends this message."""
    return Message("guest-to-host", int(message).to_bytes(4, "little"))


def to_guest(message: MessageType) -> Message:
    """Packets by which the host sends this message."""
    return Message("host-to-guest", int(message).to_bytes(4, "little"))
