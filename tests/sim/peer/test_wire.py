# SPDX-License-Identifier: MIT
"""A connection whose other end dies, stalls, floods or talks nonsense."""

import os
from collections.abc import Callable

import pytest

from protocol.peer_port import PAYLOAD_BYTES_MAX, FrameHeader, PacketFrame, Ping, Pong, encode
from sim.peer.fault import PeerFault, PeerLeft
from sim.peer.wire import Wire
from tests.sim.peer.ends import AT_ONCE, wire_and_end

BIG = PacketFrame(payload=bytes(PAYLOAD_BYTES_MAX))


def test_a_frame_goes_each_way() -> None:
    with wire_and_end() as (wire, end):
        wire.send(Ping(1))
        assert os.read(end, 100) == encode(Ping(1))
        os.write(end, encode(Pong(1)) + encode(Pong(2)))
        assert [wire.next(0), wire.next(0), wire.next(0)] == [Pong(1), Pong(2), None]


def test_who_died_is_noticed_behind_what_it_said_last() -> None:
    with wire_and_end() as (wire, end):
        os.write(end, encode(Pong(1)))
        os.close(end)
        wire.send(Ping(1))  # into nothing
        assert wire.next(None) == Pong(1)
        with pytest.raises(PeerLeft, match="the peer died: it closed the connection"):
            wire.next(None)


def test_death_within_a_frame_is_told_as_such() -> None:
    with wire_and_end() as (wire, end):
        os.write(end, encode(Pong(1))[:-1])
        os.close(end)
        with pytest.raises(PeerLeft, match="within a frame"):
            wire.next(None)


def test_nonsense_is_a_fault_that_says_where() -> None:
    with wire_and_end() as (wire, end):
        os.write(end, b"HTTP/1.1 400 Bad Request\r\n")
        with pytest.raises(PeerFault, match=r"talks nonsense: frame\.length at offset 0"):
            wire.next(0)


def test_the_frames_before_the_nonsense_count() -> None:
    with wire_and_end() as (wire, end):
        os.write(end, encode(Pong(1)))
        assert wire.next(0) == Pong(1)
        os.write(end, encode(Pong(2)) + FrameHeader(0, 77).build())
        with pytest.raises(PeerFault, match="there is no frame 77"):
            wire.next(0)


def test_a_peer_that_takes_nothing_stalls() -> None:
    with wire_and_end() as (wire, _), pytest.raises(PeerFault, match="it took nothing"):
        send_much(wire)


def test_a_peer_that_only_talks_while_we_want_to_talk_floods() -> None:
    limits = AT_ONCE._replace(answer_s=60.0, unread_bytes=1 << 16)
    with wire_and_end(limits) as (wire, end):
        os.set_blocking(end, False)
        with pytest.raises(PeerFault, match="floods"):
            send_much(wire, lambda: write_what_fits(end))


def send_much(wire: Wire, before: Callable[[], None] = lambda: None) -> None:
    for _ in range(1000):
        before()
        wire.send(BIG)


def write_what_fits(end: int) -> None:
    try:
        for _ in range(8):
            os.write(end, encode(Pong(0)) * 1024)
    except BlockingIOError:
        return
