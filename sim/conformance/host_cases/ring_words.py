# SPDX-License-Identifier: MIT
"""The words of the rings by which the two ends call each other."""

from __future__ import annotations

from typing import Final

from protocol.ring import packet_bytes
from protocol.vpci import MessageType, PciMessage
from sim.conformance.answers import completions_of
from sim.conformance.case import FROM_1_2, NOTHING_MORE, HostCase, Nonconforming, NotOffered
from sim.conformance.expecting import expect, expect_count, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_requests import REQUEST_BYTES, REQUIREMENTS

M = MessageType
MORE_THAN_FIT: Final = 300  # lists of one function; a ring of Linux's size holds 256
LEFT: Final = 8  # bytes that the fullest ring has free
HALF: Final = 8192  # bytes of a ring of Linux's size


def masked(host: HostBench) -> None:
    host.listed()
    host.to_guest.interrupt_mask = 1
    before = host.signals
    number = host.send(REQUIREMENTS)
    host.let_act()
    expect("the signals", host.signals - before, 0)
    expect_count("completions", completions_of(host.receive(), number), 1)


def filled(host: HostBench) -> None:
    host.listed()
    before = host.signals
    host.send(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    host.let_act()
    signals = host.signals - before
    if len(host.receive()) < 2:
        raise NotOffered("the host does not send a completion and a list")
    expect("the signals", signals, 1)


def _told_of_room(host: HostBench) -> int:
    """How often the host signals that the ring which the guest has filled is half empty."""
    ring = host.to_host
    before = host.signals
    for _ in range(ring.bytes_to_write() // REQUEST_BYTES - 1):
        host.send(REQUIREMENTS, completion=False)
    ring.pending_send_sz = HALF
    host.let_act()
    return host.signals - before


def room_told(host: HostBench) -> None:
    host.listed()
    if not _told_of_room(host):
        raise Nonconforming("no signal came")


def featureless(host: HostBench) -> None:
    host.listed()
    host.to_host.feature_bits = 0
    expect("the signals", _told_of_room(host), 1)


def on_the_step(host: HostBench) -> None:
    host.listed()
    expect("the signals of a ring half empty", _told_of_room(host), 1)
    ring = host.to_host
    for wish, signals in ((ring.data_bytes - REQUEST_BYTES, 1), (ring.data_bytes, 0), (HALF, 0)):
        before = host.signals
        ring.pending_send_sz = wish
        host.send(REQUIREMENTS, completion=False)
        host.let_act()
        expect(f"the signals for {wish} bytes", host.signals - before, signals)


def full_but_8(host: HostBench) -> None:
    host.listed()
    ring = host.to_host
    while ring.bytes_to_write() >= LEFT + 3 * REQUEST_BYTES:
        host.send(REQUIREMENTS, completion=False)
    longer = ring.bytes_to_write() - LEFT - packet_bytes(0)
    number = host.send(REQUIREMENTS.build().ljust(longer, b"\0"))
    with reaching("a ring that is full"):
        expect("the bytes that are free", ring.bytes_to_write(), LEFT)
    expect_count("completions", completions_of(host.receive(), number), 1)


def wish_left(host: HostBench) -> None:
    host.listed()
    ring = host.to_guest
    for _ in range(MORE_THAN_FIT):
        host.send(PciMessage(M.PCI_QUERY_BUS_RELATIONS), completion=False)
    host.let_act()
    free, wish = ring.bytes_to_write(), ring.pending_send_sz
    if not free <= wish < ring.data_bytes:
        what = f"pending_send_sz is {wish} where {free} bytes are free"
        raise Nonconforming(what, NOTHING_MORE)


AGREED: Final = "An agreed version and the relations known"
WAITS: Final = "A guest that has filled its ring and put into pending_send_sz what it waits for"
OV: Final = "OpenVMM vmbus_ring"

CASES: Final = (
    HostCase(
        id="masked-ring-not-signalled",
        strength="openvmm",
        given="A guest that has put 1 into interrupt_mask, as it does while it reads",
        when="the host writes a completion",
        then="it is there, and no signal comes",
        source=f"{OV}; ring_buffer.c hv_begin_read()",
        versions=FROM_1_2,
        check=masked,
    ),
    HostCase(
        id="signalled-when-it-was-empty",
        strength="openvmm",
        given="A guest that has read all that came",
        when="the host writes two packets, one after the other",
        then="one signal comes, for the first",
        source=f"{OV}; ring_buffer.c hv_signal_on_write()",
        versions=FROM_1_2,
        check=filled,
    ),
    HostCase(
        id="room-signalled",
        strength="must",
        given=WAITS,
        when="the host has read so much",
        then="it signals; the guest would wait for ever otherwise",
        source=f"ring_buffer.c hv_pkt_iter_close(); {OV}",
        check=room_told,
    ),
    HostCase(
        id="room-signalled-on-the-step",
        strength="openvmm",
        given=WAITS,
        when="the host reads on",
        then="one signal comes, when more than that is free and was not before",
        source=OV,
        versions=FROM_1_2,
        check=on_the_step,
    ),
    HostCase(
        id="room-signalled-without-feature",
        strength="openvmm",
        given=f"{WAITS}, without the feature bit",
        when="the host has read so much",
        then="one signal comes: the host does not look at the feature bit",
        source=OV,
        versions=FROM_1_2,
        check=featureless,
    ),
    HostCase(
        id="ring-full-but-8-bytes",
        strength="openvmm",
        given=AGREED,
        when="a request leaves 8 bytes of the ring free, the fewest that a packet may leave",
        then="the host serves it as any other",
        source=OV,
        versions=FROM_1_2,
        check=full_but_8,
    ),
    HostCase(
        id="host-tells-what-it-waits-for",
        strength="openvmm",
        given="A guest that has left lists in its ring until the host has no room",
        when="the host waits",
        then="pending_send_sz is what it needs, which is no less than is free",
        source=f"{OV}; ring_buffer.c hv_pkt_iter_close()",
        versions=FROM_1_2,
        check=wish_left,
    ),
)
