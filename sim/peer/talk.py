# SPDX-License-Identifier: MIT
"""A conversation over the peer port: who is there, and answers that come in time.

Knows which frames open and close a conversation, and nothing of guests and hosts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from protocol.codec import WireRecord
from protocol.peer_orders import ORDERS
from protocol.peer_port import (
    MAGIC,
    MMIO_SIZES,
    PORT_VERSION,
    ROLE_GUEST,
    ROLE_HOST,
    Bye,
    Error,
    Hello,
    Ping,
    Pong,
)
from sim.peer.fault import PeerFault, PeerLeft, nonsense
from sim.peer.text import text_of
from sim.peer.wire import Wire

ROLES: Final = {ROLE_HOST: "host", ROLE_GUEST: "guest"}


class Talk:
    """``theirs`` is the peer's HELLO, ``frames`` how many came since the last :meth:`turn`."""

    def __init__(self, wire: Wire, mine: Hello) -> None:
        """Raises PeerFault where the peer is none for us."""
        self.wire: Final = wire
        self.frames = 0
        self._token = 0
        self._until_s = 0.0
        self.turn()
        self.tell(mine)
        self.theirs: Final = self._hello(ROLE_HOST + ROLE_GUEST - mine.role)

    @property
    def name(self) -> str:
        """How the peer calls itself."""
        return text_of(self.theirs.name) or "no name"

    def can(self, order: str) -> bool:
        """Whether the peer says that it can be ordered to do that."""
        return bool(self.theirs.orders >> ORDERS[order].number & 1)

    def turn(self) -> None:
        """From here on the peer has its time and its number of frames again."""
        self.frames = 0
        self.go_on()

    def go_on(self) -> None:
        """From here on it has its time again: it was told something that it waited for."""
        self._until_s = self.wire.clock() + self.wire.limits.answer_s

    def tell(self, frame: WireRecord) -> None:
        """Send a frame."""
        self.wire.send(frame)

    def ping(self) -> Pong:
        """Ask whether the peer has done everything so far; what it will answer."""
        self._token += 1
        self.go_on()
        self.tell(Ping(self._token))
        return Pong(self._token)

    def hear(self) -> WireRecord:
        """The next frame. Raises PeerFault where none comes in time, or too many have come."""
        limits = self.wire.limits
        frame = self.wire.next(max(0.0, self._until_s - self.wire.clock()))
        if frame is None:
            raise self.wire.stall("no answer")
        self.frames += 1
        if self.frames > limits.frames:
            raise PeerFault(f"the peer floods: {limits.frames} frames without an end")
        return self._looked_at(frame)

    def listen(self, within_s: float | None) -> WireRecord | None:
        """The next frame, None if none comes in time; ``within_s`` None: however long it takes."""
        frame = self.wire.next(within_s)
        return None if frame is None else self._looked_at(frame)

    def settle(self, take: Callable[[WireRecord], None]) -> None:
        """Wait until the peer has done everything so far; ``take`` is shown what it says."""
        self.turn()
        pong = self.ping()
        while (frame := self.hear()) != pong:
            take(frame)

    def end(self) -> None:
        """Say goodbye, if somebody is there to hear it."""
        try:
            self.tell(Bye())
        except PeerFault:
            return

    def _looked_at(self, frame: WireRecord) -> WireRecord:
        if isinstance(frame, Error):
            raise PeerFault(f"the peer gave up: {text_of(frame.text)}")
        if isinstance(frame, Bye):
            raise PeerLeft("the peer died: it said BYE")
        return frame

    def _hello(self, role: int) -> Hello:
        hello = self.hear()
        if not isinstance(hello, Hello) or hello.magic != MAGIC:
            raise nonsense("its first frame is no HELLO")
        if hello.port_version != PORT_VERSION:
            told = f"version {hello.port_version} of the port, not {PORT_VERSION}"
            raise nonsense(f"it has {told}")
        if hello.role != role:
            is_a = ROLES.get(hello.role, f"role {hello.role}")
            raise PeerFault(f"the peer is a {is_a}, and a {ROLES[role]} is wanted")
        return hello


def unexpected(frame: WireRecord) -> PeerFault:
    """The fault of a peer that says this where it makes no sense."""
    return nonsense(f"{frame.KERNEL_NAME} was not to come")


def check_size(size_bytes: int) -> None:
    """Raise PeerFault for an access that no processor makes."""
    if size_bytes not in MMIO_SIZES:
        raise nonsense(f"an access of {size_bytes} bytes")
