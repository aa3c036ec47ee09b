# SPDX-License-Identifier: MIT
"""A ring to the host at its limits: nothing in it, and the most that one packet can be."""

from __future__ import annotations

from typing import Final

from protocol.ring import packet_bytes
from protocol.vpci import MessageType, PciChildMessage
from sim.conformance.answers import completions_of
from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect_came, expect_count
from sim.conformance.host_bench import HostBench, expect_alive

M = MessageType
LEFT: Final = 8  # bytes that the fullest ring has free
REQUIREMENTS: Final = PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)


def nothing_to_read(host: HostBench) -> None:
    host.ready()
    host.functions()
    host.ask(REQUIREMENTS)
    host.host.signal(host.channel)
    expect_came("what came", host.receive())
    expect_alive(host)


def largest(host: HostBench) -> None:
    host.ready()
    host.functions()
    payload_bytes = host.to_host.data_bytes - LEFT - packet_bytes(0)
    number = host.send(REQUIREMENTS.build().ljust(payload_bytes, b"\0"))
    expect_count("completions", completions_of(host.receive(), number), 1)


CASES: Final = (
    HostCase(
        id="equal-indices-are-an-empty-ring",
        strength="must",
        given="A ring to the host whose indices are equal and not 0, as all has been read",
        when="the guest signals all the same",
        then="nothing comes of it, and the next request is answered as any other",
        source="ring_buffer.c hv_get_bytes_to_read(); OpenVMM vmbus_ring",
        check=nothing_to_read,
    ),
    HostCase(
        id="largest-packet-served",
        strength="openvmm",
        given="An agreed version and the relations known",
        when="a request and what is behind it fill the whole ring but for 8 bytes",
        then="the host serves it as any other",
        source="OpenVMM vmbus_ring",
        versions=FROM_1_2,
        check=largest,
    ),
)
