# SPDX-License-Identifier: MIT
"""Packets that no driver sends, and what a host makes of them."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciChildMessage, PciDevIncoming, PciMessage
from sim.conformance.answers import BAD_DATA, names_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, expect_refused
from sim.conformance.host_bench import HostBench, expect_alive, expect_deaf

UNKNOWN_TYPE: Final = 0x4249_7777
UNKNOWN_PACKET: Final = 0x77
UNKNOWN_FLAG: Final = 2
M = MessageType
SHORT: Final = PciMessage(M.PCI_BUS_D0ENTRY)  # the ring makes eight bytes of its four
REQUIREMENTS: Final = PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0).build()


def unknown_type(host: HostBench) -> None:
    host.listed()
    host.ask(PciMessage(UNKNOWN_TYPE))
    expect_alive(host)


def unknown_type_status(host: HostBench) -> None:
    host.listed()
    expect("the status", host.ask(PciMessage(UNKNOWN_TYPE)).status, BAD_DATA)


def unknown_type_seen(host: HostBench) -> None:
    host.listed()
    raise Nonconforming(f"an unknown type gets {told(host.ask(PciMessage(UNKNOWN_TYPE)))}")


def unknown_type_silent(host: HostBench) -> None:
    host.listed()
    expect_came("what came", host.tell(PciMessage(UNKNOWN_TYPE)).packets)


def short(host: HostBench) -> None:
    host.listed()
    host.ask(SHORT)
    expect_alive(host)


def short_refused(host: HostBench) -> None:
    host.listed()
    expect_refused("a D0 entry without a window", host.ask(SHORT))


def short_status(host: HostBench) -> None:
    host.listed()
    expect("the status", host.ask(SHORT).status, BAD_DATA)


def short_seen(host: HostBench) -> None:
    host.listed()
    raise Nonconforming(f"a D0 entry without a window gets {told(host.ask(SHORT))}")


def empty(host: HostBench) -> None:
    host.listed()
    host.ask(b"")
    expect_alive(host)


def host_only(host: HostBench) -> None:
    host.listed()
    host.ask(PciDevIncoming(M.PCI_EJECT, 0))
    host.ask(PciDevIncoming(M.PCI_BUS_RELATIONS, 0))
    expect_alive(host)


def host_only_status(host: HostBench) -> None:
    host.listed()
    expect("the status", host.ask(PciDevIncoming(M.PCI_EJECT, 0)).status, BAD_DATA)


def _stray_completion(host: HostBench) -> None:
    host.listed()
    host.send(bytes(8), completion=False, transaction_id=1, packet_type=VM_PKT_COMP)


def completion_ends(host: HostBench) -> None:
    _stray_completion(host)
    expect_deaf(host)


def completion_seen(host: HostBench) -> None:
    _stray_completion(host)
    words = names_of(host.receive())
    after = host.ask(PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0))
    raise Nonconforming(
        f"a completion brings {', '.join(words) or 'nothing'}, a request after it {told(after)}"
    )


def packet_type_ends(host: HostBench) -> None:
    host.listed()
    host.send(bytes(8), packet_type=UNKNOWN_PACKET)
    expect_deaf(host)


def flag_ends(host: HostBench) -> None:
    host.listed()
    host.host.send(host.channel, VM_PKT_DATA_INBAND, UNKNOWN_FLAG, 0, REQUIREMENTS)
    expect_deaf(host)


def trailing(host: HostBench) -> None:
    host.listed()
    expect("the status", host.ask(REQUIREMENTS + b"\xa5" * 100).status, 0)


AGREED: Final = "An agreed version and the relations known"
PARSE: Final = "OpenVMM device.rs, parse_packet()"
RING: Final = "OpenVMM vmbus_ring parse_packet()"

CASES: Final = (
    HostCase(
        id="unknown-type-survived",
        strength="must",
        given=AGREED,
        when="the guest sends a message of a type that nobody knows",
        then="the host answers a lawful request afterwards",
        source=f"{PARSE}; versions add types",
        check=unknown_type,
    ),
    HostCase(
        id="unknown-type-refused",
        strength="openvmm",
        given=AGREED,
        when="the guest sends a message of a type that nobody knows",
        then="the host answers with BAD_DATA",
        source=PARSE,
        versions=FROM_1_2,
        check=unknown_type_status,
    ),
    HostCase(
        id="unknown-type-without-asking",
        strength="openvmm",
        given=AGREED,
        when="the guest sends a message of an unknown type and wants no completion",
        then="nothing comes",
        source=PARSE,
        versions=FROM_1_2,
        check=unknown_type_silent,
    ),
    HostCase(
        id="unknown-type",
        strength="unknown",
        given=AGREED,
        when="the guest sends a message of a type that nobody knows",
        then="it is not established what a Windows host answers",
        source=UNSOURCED,
        check=unknown_type_seen,
    ),
    HostCase(
        id="short-request-survived",
        strength="must",
        given=AGREED,
        when="the guest sends a D0 entry that is cut short",
        then="the host answers a lawful request afterwards",
        source=PARSE,
        check=short,
    ),
    HostCase(
        id="short-request-refused",
        strength="must",
        given=AGREED,
        when="the guest sends a D0 entry that is cut short",
        then="the host answers with a failure: there is no window to put anywhere",
        source=PARSE,
        check=short_refused,
    ),
    HostCase(
        id="short-request-is-bad-data",
        strength="openvmm",
        given=AGREED,
        when="the guest sends a D0 entry that is cut short",
        then="the host answers with BAD_DATA",
        source=PARSE,
        versions=FROM_1_2,
        check=short_status,
    ),
    HostCase(
        id="short-request",
        strength="unknown",
        given=AGREED,
        when="the guest sends a D0 entry that is cut short",
        then="it is not established which failure a Windows host answers with",
        source=UNSOURCED,
        check=short_seen,
    ),
    HostCase(
        id="longer-request-served",
        strength="must",
        given=AGREED,
        when="a request has 100 bytes more than it needs",
        then="the host answers with success; the ring itself adds up to seven",
        source="ring_buffer.c hv_ringbuffer_write(), ALIGN(); OpenVMM device.rs, parse_packet()",
        check=trailing,
    ),
    HostCase(
        id="empty-packet-survived",
        strength="must",
        given=AGREED,
        when="the guest sends a packet without payload",
        then="the host answers a lawful request afterwards",
        source=PARSE,
        check=empty,
    ),
    HostCase(
        id="host-messages-survived",
        strength="must",
        given=AGREED,
        when="the guest sends what only a host sends: EJECT, BUS_RELATIONS",
        then="the host answers a lawful request afterwards",
        source=PARSE,
        check=host_only,
    ),
    HostCase(
        id="host-messages-refused",
        strength="openvmm",
        given=AGREED,
        when="the guest sends an EJECT",
        then="the host answers with BAD_DATA",
        source=PARSE,
        versions=FROM_1_2,
        check=host_only_status,
    ),
    HostCase(
        id="guest-completion-ends-worker",
        strength="openvmm",
        given=AGREED,
        when="the guest sends a completion",
        then="what it sends afterwards is never answered",
        source="OpenVMM device.rs, UnexpectedPacketType",
        versions=FROM_1_2,
        check=completion_ends,
    ),
    HostCase(
        id="guest-completion",
        strength="unknown",
        given=AGREED,
        when="the guest sends a completion",
        then="it is not established what a Windows host does",
        source=UNSOURCED,
        check=completion_seen,
    ),
    HostCase(
        id="unknown-packet-type-ends-worker",
        strength="openvmm",
        given=AGREED,
        when="the guest writes a packet into the ring whose type VMBus does not have",
        then="what it sends afterwards is never answered",
        source=RING,
        versions=FROM_1_2,
        check=packet_type_ends,
    ),
    HostCase(
        id="unknown-flag-ends-worker",
        strength="openvmm",
        given=AGREED,
        when="the guest writes a packet into the ring with a flag that VMBus does not have",
        then="what it sends afterwards is never answered",
        source=RING,
        versions=FROM_1_2,
        check=flag_ends,
    ),
)
