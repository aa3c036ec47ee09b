# SPDX-License-Identifier: MIT
"""Guests behind the port that are a function from a frame to frames, each in a thread."""

from collections.abc import Callable

import pytest

from protocol.codec import WireRecord
from protocol.peer_orders import mask_of
from protocol.peer_port import ROLE_GUEST, Hello, Ping, Pong
from sim.peer.fault import PeerFault
from sim.peer.peers import Peers
from sim.peer.wire import Wire
from tests.sim.peer.ends import InThread

GuestFake = Callable[[WireRecord], list[WireRecord]]


def in_thread(says: GuestFake, *orders: str) -> Peers:
    """A guest that answers each frame with some, and every PING."""

    def guest(wire: Wire) -> None:
        wire.send(Hello(role=ROLE_GUEST, orders=mask_of(orders), name=b"fake"))
        while (frame := wire.next(None)) is not None:
            answers = [Pong(frame.token)] if isinstance(frame, Ping) else says(frame)
            for answer in answers:
                wire.send(answer)

    def until_we_leave(wire: Wire) -> None:
        with pytest.raises(PeerFault):
            guest(wire)

    return Peers(InThread(until_we_leave))
