# SPDX-License-Identifier: MIT
"""How packets lie in the rings' memory: their ends, their padding, and what they may be."""

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
from protocol.vpci import MessageType, PciMessage
from sim.conformance.answers import Answer, completions_of
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_count, reaching
from sim.conformance.host_bench import HostBench, expect_deaf
from sim.conformance.host_requests import REQUEST_BYTES, REQUIREMENTS

M = MessageType
AT_ONCE: Final = 64
LAST: Final = 8  # requests whose answers are looked at, about the end of the ring
SHIFTS: Final = 3  # D0 entries, each longer by 8 bytes than the other requests
RANGES: Final = bytes(8)  # a header of the packet's own before the message: no range, no page


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
    host.listed()
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
    host.listed()
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


def other_data(host: HostBench) -> None:
    host.listed()
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
    host.listed()
    ring = host.to_host
    ring.write(VM_PKT_DATA_INBAND, 1, 1, REQUIREMENTS.build())
    ring.forge_bytes(ring.write_index - TRAILER_BYTES, b"\xff" * TRAILER_BYTES)
    host.host.signal(host.channel)
    expect_count("completions", completions_of(host.receive(), 1), 1)


def length_ends(host: HostBench) -> None:
    host.listed()
    ring = host.to_host
    at = ring.write_index
    ring.write(VM_PKT_DATA_INBAND, 0, 0, REQUIREMENTS.build())
    ring.forge_lengths(at, DESCRIPTOR_BYTES // 8, ring.data_bytes // 8)
    host.host.signal(host.channel)
    expect_deaf(host)


AGREED: Final = "An agreed version and the relations known"
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
