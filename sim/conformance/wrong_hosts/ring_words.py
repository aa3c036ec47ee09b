# SPDX-License-Identifier: MIT
"""Hosts that are wrong about the rings as memory: what lies in them, and when they signal."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from protocol.link import PacketPublished
from protocol.ring import DESCRIPTOR_BYTES, TRAILER_BYTES, Ring, packet_bytes
from protocol.vpci import MessageType
from sim.conformance.host_port import Channel, HostUnderTest
from sim.conformance.wrapped import Wrapped
from sim.conformance.wrong_hosts.meddled import Answering, Meddled, Request
from sim.conformance.wrong_hosts.row import WrongHost

M = MessageType
RING_BYTES: Final = 16384
STRAY: Final = b"\xff\xff\xff\xff"
PADDING_AT: Final = -TRAILER_BYTES - 4  # of a status, counted from the end of its packet
TRAILER_AT: Final = -4
LEN8_AT: Final = 4  # of a descriptor


def _across(host: Meddled, request: Request) -> bool:
    at = sum(packet_bytes(len(before.payload)) for before in host.heard) % RING_BYTES
    return at + packet_bytes(len(request.payload)) > RING_BYTES


def _second_entry(host: Meddled, request: Request) -> bool:
    return request.kind == M.PCI_BUS_D0ENTRY and host.counts(M.PCI_BUS_D0ENTRY) > 0


class Touching(Wrapped):
    """Does something to its ring to the guest whenever it has acted."""

    def __init__(self, host: HostUnderTest, touch: Callable[[Ring], None]) -> None:
        super().__init__(host)
        self._touch = touch
        self._channel = 0

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        self._channel = channel
        super().send(channel, packet_type, flags, transaction_id, payload)

    def pass_time(self, for_ns: int) -> None:
        super().pass_time(for_ns)
        self._touch(self.rings(self._channel)[1])


def _scribbling(at: int) -> Callable[[HostUnderTest], Touching]:
    """Writes something into the packet that it has written last."""
    return lambda host: Touching(host, lambda ring: ring.forge_bytes(ring.write_index + at, STRAY))


def _wish_for_nothing(ring: Ring) -> None:
    ring.pending_send_sz = 0


class ReadsTrailers(Wrapped):
    """Overlooks a packet whose trailer does not begin with zeros."""

    def signal(self, channel: Channel) -> None:
        ring = self.rings(channel)[0]
        if not any(ring.bytes_at(ring.write_index - TRAILER_BYTES, len(STRAY))):
            super().signal(channel)


class ClampsLengths(Wrapped):
    """Takes a length that cannot be for all that is there, as a Linux reader does."""

    def signal(self, channel: Channel) -> None:
        ring = self.rings(channel)[0]
        if not ring.empty() and _len8_of_next(ring) * 8 > ring.bytes_to_read():
            whole = ring.bytes_to_read() - TRAILER_BYTES
            ring.forge_lengths(ring.read_index, DESCRIPTOR_BYTES // 8, whole // 8)
        super().signal(channel)


def _len8_of_next(ring: Ring) -> int:
    return int.from_bytes(ring.bytes_at(ring.read_index + LEN8_AT, 2), "little")


class KeepsMoreFree(Wrapped):
    """Answers no packet that leaves only 8 bytes free."""

    def send(
        self, channel: Channel, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        free = self.rings(channel)[0].bytes_to_write() - packet_bytes(len(payload))
        number = 0 if free == TRAILER_BYTES else transaction_id
        super().send(channel, packet_type, flags if number else 0, number, payload)


class SignalsAll(Wrapped):
    """Signals each packet."""

    def signals(self, channel: Channel) -> int:
        del channel  # the suite has one open
        return sum(
            isinstance(one.event, PacketPublished) and one.event.direction == "host-to-guest"
            for one in self.trace()
        )


class KeepsRoomToItself(Wrapped):
    """Does not signal while the guest waits for room."""

    def __init__(self, host: HostUnderTest) -> None:
        super().__init__(host)
        self._before = 0

    def signals(self, channel: Channel) -> int:
        if not self._overlooks(channel):
            self._before = super().signals(channel)
        return self._before

    def _overlooks(self, channel: Channel) -> bool:
        return self.rings(channel)[0].pending_send_sz != 0


class WantsFeature(KeepsRoomToItself):
    """Does not signal room without the feature bit."""

    def _overlooks(self, channel: Channel) -> bool:
        return not self.rings(channel)[0].feature_bits


class TakesEqualForMore(Wrapped):
    """Signals when exactly as much is free as the guest waits for."""

    def signals(self, channel: Channel) -> int:
        ring = self.rings(channel)[0]
        return super().signals(channel) + (ring.pending_send_sz == ring.bytes_to_write())


ROWS: Final = (
    WrongHost(
        id="fails-across-the-end",
        does="fails a request that lies across the end of its ring",
        catches=("request-across-the-end",),
        wrap=partial(Answering, when=_across),
    ),
    WrongHost(
        id="pads-with-ones",
        does="fills the words of the ring with ones",
        catches=("packets-padded-with-zeros",),
        wrap=_scribbling(PADDING_AT),
        profile="openvmm",
    ),
    WrongHost(
        id="trails-nowhere",
        does="writes trailers that tell no place",
        catches=("trailer-tells-where",),
        wrap=_scribbling(TRAILER_AT),
        profile="openvmm",
    ),
    WrongHost(
        id="signals-each-packet",
        does="signals each packet, whether the guest reads or not",
        catches=("masked-ring-not-signalled", "signalled-when-it-was-empty"),
        wrap=SignalsAll,
        profile="openvmm",
    ),
    WrongHost(
        id="keeps-room-to-itself",
        does="does not signal that there is room again",
        catches=("room-signalled",),
        wrap=KeepsRoomToItself,
    ),
    WrongHost(
        id="takes-equal-for-more",
        does="signals when exactly as much is free as the guest waits for",
        catches=("room-signalled-on-the-step",),
        wrap=TakesEqualForMore,
        profile="openvmm",
    ),
    WrongHost(
        id="wants-the-feature",
        does="signals room only to a guest that has set the feature bit",
        catches=("room-signalled-without-feature",),
        wrap=WantsFeature,
        profile="openvmm",
    ),
    WrongHost(
        id="guards-windows",
        does="fails D0 entry with a window that another bus has",
        catches=("window-of-another-bus",),
        wrap=partial(Answering, when=_second_entry),
        profile="openvmm",
    ),
    WrongHost(
        id="reads-trailers",
        does="overlooks a request whose trailer is no trailer",
        catches=("trailer-passed-over",),
        wrap=ReadsTrailers,
        profile="openvmm",
    ),
    WrongHost(
        id="clamps-lengths",
        does="takes a packet that says it is too long for all that is there",
        catches=("impossible-length-ends-worker",),
        wrap=ClampsLengths,
        profile="openvmm",
    ),
    WrongHost(
        id="keeps-more-free",
        does="answers no request that leaves only 8 bytes of its ring free",
        catches=("ring-full-but-8-bytes",),
        wrap=KeepsMoreFree,
        profile="openvmm",
    ),
    WrongHost(
        id="wishes-for-nothing",
        does="leaves 0 in pending_send_sz while it has no room",
        catches=("host-tells-what-it-waits-for",),
        wrap=partial(Touching, touch=_wish_for_nothing),
        profile="openvmm",
    ),
)
