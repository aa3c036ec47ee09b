# SPDX-License-Identifier: MIT
"""Who greets us, and what a conversation does with those who do not keep to it."""

import os

import pytest

from protocol.codec import WireRecord
from protocol.peer_port import (
    ROLE_GUEST,
    ROLE_HOST,
    Bye,
    Error,
    Hello,
    Ping,
    Pong,
    encode,
)
from sim.peer.fault import PeerFault, PeerLeft
from sim.peer.talk import Talk
from sim.peer.wire import Wire
from tests.sim.peer.ends import wire_and_end

MINE = Hello(role=ROLE_GUEST)
HOST = Hello(role=ROLE_HOST, orders=2, name=b"fake")


def greeted(wire: Wire, end: int, *frames: WireRecord) -> Talk:
    os.write(end, b"".join(map(encode, (HOST, *frames))))
    return Talk(wire, MINE)


def test_a_peer_says_its_name_and_what_it_can() -> None:
    with wire_and_end() as (wire, end):
        talk = greeted(wire, end)
        assert (talk.name, talk.can("eject"), talk.can("rescind")) == ("fake", True, False)


@pytest.mark.parametrize(
    ("hello", "says"),
    [
        (Hello(role=ROLE_GUEST), "the peer is a guest, and a host is wanted"),
        (Hello(role=7), "the peer is a role 7"),
        (Hello(role=ROLE_HOST, magic=1), "its first frame is no HELLO"),
        (Hello(role=ROLE_HOST, port_version=9), "version 9 of the port, not 1"),
        (Ping(1), "its first frame is no HELLO"),
        (Error(b"no device"), "the peer gave up: no device"),
    ],
)
def test_who_is_no_host_for_us_is_told_in_a_line(hello: WireRecord, says: str) -> None:
    with wire_and_end() as (wire, end):
        os.write(end, encode(hello))
        with pytest.raises(PeerFault, match=says):
            Talk(wire, MINE)


def test_a_peer_that_never_greets_stalls() -> None:
    with wire_and_end() as (wire, _), pytest.raises(PeerFault, match="stalls: no answer for 0 s"):
        Talk(wire, MINE)


def test_what_comes_before_the_pong_is_shown() -> None:
    with wire_and_end() as (wire, end):
        talk = greeted(wire, end, Ping(5), Pong(9), Pong(1))
        shown: list[WireRecord] = []
        talk.settle(shown.append)
        assert shown == [Ping(5), Pong(9)]


def test_a_peer_that_never_comes_to_an_end_floods() -> None:
    with wire_and_end() as (wire, end):
        talk = greeted(wire, end, *[Ping(5)] * 200)
        with pytest.raises(PeerFault, match="floods: 100 frames without an end"):
            talk.settle(lambda _: None)


def test_a_peer_may_say_goodbye() -> None:
    with wire_and_end() as (wire, end):
        talk = greeted(wire, end, Bye())
        with pytest.raises(PeerLeft, match="it said BYE"):
            talk.settle(lambda _: None)
