# SPDX-License-Identifier: MIT
"""A channel whose user is in another process, when its rescind and his packets cross."""

from types import SimpleNamespace
from typing import Any

import pytest

from protocol.codec import WireRecord
from protocol.peer_port import PacketFrame, Rescind
from sim.peer.port_channel import PortChannel

PACKET = PacketFrame(1, 6, 0, 0, bytes(4))


class Ring:
    """Takes what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, _type: int, _flags: int, _id: int, payload: bytes) -> bool:
        self.written.append(payload)
        return False


def send(channel: PortChannel) -> None:
    """Send a packet; nothing is waited for."""
    with pytest.raises(StopIteration):
        channel.send(PACKET).send(None)


def test_what_is_sent_before_the_rescind_is_told_is_dropped_and_after_that_is_the_peers() -> None:
    told: list[WireRecord] = []
    ring = Ring()
    kernel: Any = SimpleNamespace(emit=lambda _: None)
    desk: Any = SimpleNamespace(tell=told.append, kernel=kernel)
    hdev: Any = SimpleNamespace(channel=SimpleNamespace(rescind=False, outbound=ring, relid=3))
    channel = PortChannel(desk, hdev, 1)
    channel.is_open = True
    send(channel)
    assert len(ring.written) == 1
    hdev.channel.rescind = True
    send(channel)
    assert len(ring.written) == 1  # VMBus takes no more, and the peer could not know
    channel.tell_rescind()
    channel.tell_rescind()
    assert told == [Rescind(1)]
    send(channel)
    assert len(ring.written) == 2  # now it could, and is judged by what it does
