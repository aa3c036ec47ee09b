# SPDX-License-Identifier: MIT
"""The rings as memory: how packets lie in them, and by which words the two ends call each other."""

from __future__ import annotations

import struct
from typing import Final

from protocol.ring import DESCRIPTOR_BYTES, TRAILER_BYTES, packet_bytes
from protocol.status import STATUS_SUCCESS
from protocol.vmbus import (
    VM_PKT_DATA_INBAND,
    VM_PKT_DATA_USING_GPA_DIRECT,
    VM_PKT_DATA_USING_XFER_PAGES,
)
from protocol.vpci import MessageType, PciChildMessage, PciMessage
from sim.conformance.answers import Answer, completions_of
from sim.conformance.case import FROM_1_2, NOTHING_MORE, HostCase, Nonconforming, NotOffered
from sim.conformance.expecting import expect, expect_count, reaching
from sim.conformance.host_bench import HostBench, expect_deaf

M = MessageType
REQUIREMENTS: Final = PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)
REQUEST_BYTES: Final = packet_bytes(REQUIREMENTS.SIZE)
AT_ONCE: Final = 64
LAST: Final = 8  # requests whose answers are looked at, about the end of the ring
SHIFTS: Final = 3  # D0 entries, each longer by 8 bytes than the other requests
MORE_THAN_FIT: Final = 300  # lists of one function; a ring of Linux's size holds 256
LEFT: Final = 8  # bytes that the fullest ring has free
HALF: Final = 8192  # bytes of a ring of Linux's size
RANGES: Final = bytes(8)  # a header of the packet's own before the message: no range, no page


def _ready(host: HostBench) -> None:
    host.ready()
    host.functions()


def _to_the_end(host: HostBench) -> None:
    """Silent requests up to the last ones that the ring holds before its end."""
    ring = host.to_host
    left = (ring.data_bytes - ring.write_index) // REQUEST_BYTES - LAST // 2
    while left > 0:
        for _ in range(min(left, AT_ONCE)):
            host.send(REQUIREMENTS, completion=False)
        host.receive()
        left -= AT_ONCE


def across_the_end(host: HostBench) -> None:
    _ready(host)
    first = host.ask(REQUIREMENTS).completion
    for _ in range(SHIFTS):
        host.entered()
        host.left()
        _to_the_end(host)
        for _ in range(LAST):
            if host.ask(REQUIREMENTS).completion != first:
                raise Nonconforming("a request across the end of the ring is answered otherwise")


def _status_in_ring(host: HostBench) -> bytes:
    """The bytes of a completion that is a status, as they lie in the ring."""
    _ready(host)
    host.entered()
    host.send(PciMessage(M.PCI_BUS_D0EXIT))
    host.let_act()
    ring = host.to_guest
    packet = ring.bytes_at(ring.read_index, ring.bytes_to_read())
    with reaching("a packet that is a status"):
        expect("its length in the ring", len(packet), packet_bytes(4))
    return packet


def padded(host: HostBench) -> None:
    packet = _status_in_ring(host)
    padding = packet[DESCRIPTOR_BYTES + 4 : -TRAILER_BYTES]
    expect("what is behind the status", padding.hex(), bytes(4).hex())


def trailed(host: HostBench) -> None:
    trailer = struct.unpack("<II", _status_in_ring(host)[-TRAILER_BYTES:])
    expect("the trailer", trailer, (0, host.to_guest.read_index))


def masked(host: HostBench) -> None:
    _ready(host)
    host.to_guest.interrupt_mask = 1
    before = host.signals
    number = host.send(REQUIREMENTS)
    host.let_act()
    expect("the signals", host.signals - before, 0)
    expect_count("completions", completions_of(host.receive(), number), 1)


def filled(host: HostBench) -> None:
    _ready(host)
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
    _ready(host)
    if not _told_of_room(host):
        raise Nonconforming("no signal came")


def featureless(host: HostBench) -> None:
    _ready(host)
    host.to_host.feature_bits = 0
    expect("the signals", _told_of_room(host), 1)


def on_the_step(host: HostBench) -> None:
    _ready(host)
    expect("the signals of a ring half empty", _told_of_room(host), 1)
    ring = host.to_host
    for wish, signals in ((ring.data_bytes - REQUEST_BYTES, 1), (ring.data_bytes, 0), (HALF, 0)):
        before = host.signals
        ring.pending_send_sz = wish
        host.send(REQUIREMENTS, completion=False)
        host.let_act()
        expect(f"the signals for {wish} bytes", host.signals - before, signals)


def other_data(host: HostBench) -> None:
    _ready(host)
    ring = host.to_host
    for packet_type in (VM_PKT_DATA_USING_XFER_PAGES, VM_PKT_DATA_USING_GPA_DIRECT):
        at, payload = ring.write_index, RANGES + REQUIREMENTS.build()
        ring.write(packet_type, 1, packet_type, payload)
        header = DESCRIPTOR_BYTES + len(RANGES)
        ring.forge_lengths(at, header // 8, (DESCRIPTOR_BYTES + len(payload)) // 8)
        host.host.signal(host.channel)
        answers = completions_of(host.receive(), packet_type)
        expect_count("completions", answers, 1)
        status = Answer(answers[0].payload, (), None).status
        expect("the status", status, STATUS_SUCCESS, answers[0].at)


def trailer_passed_over(host: HostBench) -> None:
    _ready(host)
    ring = host.to_host
    ring.write(VM_PKT_DATA_INBAND, 1, 1, REQUIREMENTS.build())
    ring.forge_bytes(ring.write_index - TRAILER_BYTES, b"\xff" * TRAILER_BYTES)
    host.host.signal(host.channel)
    expect_count("completions", completions_of(host.receive(), 1), 1)


def full_but_8(host: HostBench) -> None:
    _ready(host)
    ring = host.to_host
    while ring.bytes_to_write() >= LEFT + 3 * REQUEST_BYTES:
        host.send(REQUIREMENTS, completion=False)
    longer = ring.bytes_to_write() - LEFT - packet_bytes(0)
    number = host.send(REQUIREMENTS.build().ljust(longer, b"\0"))
    with reaching("a ring that is full"):
        expect("the bytes that are free", ring.bytes_to_write(), LEFT)
    expect_count("completions", completions_of(host.receive(), number), 1)


def wish_left(host: HostBench) -> None:
    _ready(host)
    ring = host.to_guest
    for _ in range(MORE_THAN_FIT):
        host.send(PciMessage(M.PCI_QUERY_BUS_RELATIONS), completion=False)
    host.let_act()
    free, wish = ring.bytes_to_write(), ring.pending_send_sz
    if not free <= wish < ring.data_bytes:
        what = f"pending_send_sz is {wish} where {free} bytes are free"
        raise Nonconforming(what, NOTHING_MORE)


def length_ends(host: HostBench) -> None:
    _ready(host)
    ring = host.to_host
    at = ring.write_index
    ring.write(VM_PKT_DATA_INBAND, 0, 0, REQUIREMENTS.build())
    ring.forge_lengths(at, DESCRIPTOR_BYTES // 8, ring.data_bytes // 8)
    host.host.signal(host.channel)
    expect_deaf(host)


AGREED: Final = "An agreed version and the relations known"
WAITS: Final = "A guest that has filled its ring and put into pending_send_sz what it waits for"
OV: Final = "OpenVMM vmbus_ring"

CASES: Final = (
    HostCase(
        id="request-across-the-end",
        strength="must",
        given=AGREED,
        when="requests lie across the end of the ring, divided at each of their words",
        then="they are answered as any other",
        source=f"ring_buffer.c hv_copyto_ringbuffer(); {OV}",
        check=across_the_end,
    ),
    HostCase(
        id="packets-padded-with-zeros",
        strength="openvmm",
        given="A bus in D0",
        when="the host answers with a status, which is half a word of the ring",
        then="zeros fill the word; Linux takes them for data",
        source=f"{OV}; ring_buffer.c hv_pkt_iter_first()",
        versions=FROM_1_2,
        check=padded,
    ),
    HostCase(
        id="trailer-tells-where",
        strength="openvmm",
        given="A bus in D0",
        when="the host writes a packet",
        then="its trailer is zero and where the packet begins",
        source=f"{OV}; ring_buffer.c hv_ringbuffer_write()",
        versions=FROM_1_2,
        check=trailed,
    ),
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
        id="other-data-packets-served",
        strength="openvmm",
        given=AGREED,
        when="a request comes in a packet for transfer pages or for guest memory",
        then="the host serves it as any other",
        source="OpenVMM device.rs, run()",
        versions=FROM_1_2,
        check=other_data,
    ),
    HostCase(
        id="trailer-passed-over",
        strength="openvmm",
        given=AGREED,
        when="a request has ones in its trailer",
        then="the host serves it as any other",
        source=OV,
        versions=FROM_1_2,
        check=trailer_passed_over,
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
    HostCase(
        id="impossible-length-ends-worker",
        strength="openvmm",
        given=AGREED,
        when="the guest writes a packet into the ring that says it is longer than what is there",
        then="what it sends afterwards is never answered",
        source="OpenVMM vmbus_ring parse_packet()",
        versions=FROM_1_2,
        check=length_ends,
    ),
)
