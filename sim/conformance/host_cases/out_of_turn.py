# SPDX-License-Identifier: MIT
"""What a host makes of packets that come before a version is agreed on, and of a second query."""

from __future__ import annotations

from typing import Final

from protocol.vpci import MessageType, PciMessage
from sim.conformance.answers import relations_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect_came, expect_count
from sim.conformance.host_bench import HostBench

M = MessageType


def silent_at_first(host: HostBench) -> None:
    expect_came("what came unasked", host.receive())


def query_first(host: HostBench) -> None:
    answer = host.ask(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    expect_came("what came", answer.packets)
    expect_came("what came for a version query", host.negotiate().packets)
    host.close()
    host.open()
    host.agree(host.negotiate())


def request_first(host: HostBench) -> None:
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    raise Nonconforming(f"a request before the version gets {told(answer)}")


def garbage_first(host: HostBench) -> None:
    expect_came("what came", host.ask(b"\xff" * 4).packets)
    expect_came("what came for a version query", host.negotiate().packets)


def second_query_ends(host: HostBench) -> None:
    host.ready()
    expect_came("what came", host.negotiate().packets)
    after = host.tell(PciMessage(M.PCI_QUERY_BUS_RELATIONS))
    expect_count("lists that came afterwards", relations_of(after.packets), 0)


def second_query(host: HostBench) -> None:
    host.ready()
    raise Nonconforming(f"a second version query gets {told(host.negotiate())}")


FRESH: Final = "A channel that was just opened"
AGREED: Final = "An agreed version"

CASES: Final = (
    HostCase(
        id="silent-before-version",
        strength="must",
        given=FRESH,
        when="the guest says nothing",
        then="the host says nothing, as nothing has a form before a version is agreed",
        source="pci-hyperv.c hv_pci_protocol_negotiation(); OpenVMM device.rs state Init",
        check=silent_at_first,
    ),
    HostCase(
        id="query-before-version-ends-worker",
        strength="openvmm",
        given=FRESH,
        when="the guest queries the relations before a version",
        then="nothing is ever answered, until the channel is closed and opened again",
        source="OpenVMM device.rs, UnexpectedPacketOrder",
        versions=FROM_1_2,
        check=query_first,
    ),
    HostCase(
        id="request-before-version",
        strength="unknown",
        given=FRESH,
        when="the guest asks for resource requirements before a version",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=request_first,
    ),
    HostCase(
        id="garbage-first-ends-worker",
        strength="openvmm",
        given=FRESH,
        when="the first packet has four bytes that are no message",
        then="nothing is ever answered",
        source="OpenVMM device.rs, state Init",
        versions=FROM_1_2,
        check=garbage_first,
    ),
    HostCase(
        id="second-version-query-ends-worker",
        strength="openvmm",
        given=AGREED,
        when="the guest asks for it once more",
        then="neither that nor what follows is answered",
        source="OpenVMM device.rs, UnexpectedPacketOrder",
        versions=FROM_1_2,
        check=second_query_ends,
    ),
    HostCase(
        id="second-version-query",
        strength="unknown",
        given=AGREED,
        when="the guest asks for it once more",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=second_query,
    ),
)
