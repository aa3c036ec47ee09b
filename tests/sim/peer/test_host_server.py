# SPDX-License-Identifier: MIT
"""Our host at the peer port, whatever the guest at the other end says."""

from collections.abc import Sequence
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import WireRecord
from protocol.peer_orders import HOST_ORDERS
from protocol.peer_port import (
    FLAG_DRIVES,
    ROLE_GUEST,
    Close,
    Done,
    Error,
    Hello,
    Hypercall,
    Interrupt,
    MmioRead,
    MmioValue,
    MmioWrite,
    Offered,
    Open,
    Opened,
    Order,
    PacketFrame,
    Ping,
    Pong,
    Released,
    Rescind,
)
from protocol.vpci import MessageType, PciBusD0Entry, PciVersionRequest
from sim.conformance.own_host import OwnHost
from sim.peer.fault import PeerFault, PeerLeft
from sim.peer.host_server import HostServer
from sim.peer.limits import LIMITS
from sim.peer.wire import Wire


class Script:
    """A wire whose other end says these frames and leaves; ``heard`` is what it was told."""

    limits = LIMITS

    def __init__(self, frames: Sequence[WireRecord]) -> None:
        self._frames = list(frames)
        self.heard: list[WireRecord] = []

    def clock(self) -> float:
        return 0.0

    def send(self, frame: WireRecord) -> None:
        self.heard.append(frame)

    def next(self, within_s: float | None) -> WireRecord | None:
        del within_s
        if not self._frames:
            raise PeerLeft("the peer died: the script is over")
        return self._frames.pop(0)


def served(*frames: WireRecord, flags: int = FLAG_DRIVES) -> list[WireRecord]:
    """What our host says to a guest that says this."""
    script = Script((Hello(role=ROLE_GUEST, flags=flags), *frames))
    server = HostServer(cast("Wire", script), lambda bus: OwnHost("hyperv", bus, {}))
    why = None
    try:
        server.serve(lambda: None)
    except PeerFault as fault:
        why = Error(str(fault).encode())
    assert why in (None, script.heard[-1])
    return script.heard[1:]


VERSION = PacketFrame(1, 6, 1, 9, PciVersionRequest(protocol_version=0x10004).build())


def test_a_guest_that_drives_is_answered_at_its_ping_and_not_before() -> None:
    told = served(Open(1), VERSION, Ping(4))
    assert [type(frame) for frame in told] == [Offered, Opened, PacketFrame, Pong]
    assert told[-1] == Pong(4)


def test_a_rescind_is_told_before_the_order_is_done() -> None:
    told = served(Order(7, HOST_ORDERS["rescind"].number, 1))
    assert told[1:] == [Rescind(1), Done(7)]


@pytest.mark.parametrize(
    ("order", "status", "says"),
    [
        (Order(1, 99), 1, "no host has an order 99"),
        (Order(1, HOST_ORDERS["eject"].number, 1), 2, ""),
        (Order(1, HOST_ORDERS["configure"].number, 1, 0, (77,)), 2, "cannot be had"),
        (Order(1, HOST_ORDERS["relations"].number, 1, 0, (31,)), 2, "no function for slot 0x1f"),
        (Order(1, HOST_ORDERS["pass-time"].number, 1), 2, "lacks its for_ns"),
    ],
)
def test_an_order_that_cannot_be_done_says_why(order: Order, status: int, says: str) -> None:
    done = served(order)[-1]
    assert isinstance(done, Done)
    assert done.status == status
    assert says in done.text.decode()


def words() -> st.SearchStrategy[tuple[int, ...]]:
    return st.lists(st.integers(0, 40) | st.integers(0, 2**64 - 1), max_size=3).map(
        lambda found: (*found,)
    )


U32 = st.integers(0, 3) | st.integers(0, 2**32 - 1)
GPA = st.integers(0xF800_0000, 0xF800_2000) | st.integers(0, 2**64 - 1)
PAYLOADS = st.one_of(
    st.binary(max_size=40),
    st.tuples(st.sampled_from(MessageType), st.binary(max_size=230)).map(
        lambda made: int(made[0]).to_bytes(4, "little") + made[1]
    ),
    st.just(PciBusD0Entry(mmio_base=0xF800_0000).build()),
    st.just(VERSION.payload),
)
SAID = st.one_of(
    st.builds(Open, U32),
    st.builds(Close, U32),
    st.builds(Released, U32),
    st.builds(Ping, U32),
    st.builds(Interrupt, U32),
    st.builds(MmioRead, U32, st.sampled_from((1, 2, 4, 8, 3)), GPA),
    st.builds(MmioWrite, U32, st.sampled_from((1, 2, 4, 8)), GPA, st.integers(0, 2**64 - 1)),
    st.builds(
        Hypercall, U32, U32, st.sampled_from((0x7E, 0x5C, 0x5D, 0x106, 0x107, 0x1007E)),
        st.binary(max_size=80),
    ),
    st.builds(Order, U32, st.integers(0, 14), U32, st.just(0), words()),
    st.builds(
        PacketFrame, st.just(1) | U32, st.just(6) | st.integers(0, 0xFFFF), st.integers(0, 1),
        st.integers(0, 70), PAYLOADS,
    ),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(SAID, max_size=25), st.sampled_from((0, FLAG_DRIVES)))
def test_whatever_a_guest_says_it_is_answered_or_told_why_not(
    said: list[WireRecord], flags: int
) -> None:
    told = served(Open(1), *said, flags=flags)
    reads = sum(isinstance(frame, MmioRead) for frame in said)
    assert sum(isinstance(frame, MmioValue) for frame in told) <= reads
