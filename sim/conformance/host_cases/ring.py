# SPDX-License-Identifier: MIT
"""Completions, transaction ids and order in the rings, as a host keeps them."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciChildMessage
from sim.conformance.answers import completions_of, told
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, expect_each
from sim.conformance.host_bench import HostBench
from sim.conformance.host_requests import QUERY, REQUIREMENTS
from sim.conformance.watched import Received

LARGE_ID: Final = 0xFEDC_BA98_7654_3210
AT_ONCE: Final = 64  # requests that Linux's table of ids has room for
M = MessageType


def id_kept(host: HostBench) -> None:
    host.listed()
    packets = host.ask(REQUIREMENTS, transaction_id=LARGE_ID).packets
    ids = [f"{p.transaction_id:#x}" for p in packets if p.packet_type == VM_PKT_COMP]
    expect("the id of the completion", ids[:1], [f"{LARGE_ID:#x}"])


def completed_once(host: HostBench) -> None:
    host.listed()
    for request in (REQUIREMENTS, PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 9)):
        number = host.send(request)
        answers = completions_of((*host.receive(), *host.receive()), number)
        if len(answers) > 1:
            what = f"{len(answers)} completions of one request came"
            raise Nonconforming(what, answers[1].at)


def unasked_silent(host: HostBench) -> None:
    host.listed()
    expect_came("what came", host.tell(REQUIREMENTS).packets)


def _unsolicited(host: HostBench) -> list[Received]:
    host.listed()
    packets = host.tell(QUERY).packets
    return [p for p in packets if p.packet_type == VM_PKT_DATA_INBAND]


def news_wants_nothing(host: HostBench) -> None:
    for packet in _unsolicited(host):
        expect("the flags of a list", packet.flags, 0, packet.at)


def news_has_no_id(host: HostBench) -> None:
    for packet in _unsolicited(host):
        expect("the transaction id of a list", packet.transaction_id, 0, packet.at)


def many_at_once(host: HostBench) -> None:
    host.listed()
    asked = {host.send(REQUIREMENTS): host.host.asked for _ in range(AT_ONCE)}
    answered = {p.transaction_id for p in host.receive() if p.packet_type == VM_PKT_COMP}
    missing = [number for number in asked if number not in answered]
    expect("the requests not answered", missing, [], asked[missing[0]] if missing else None)


def in_order(host: HostBench) -> None:
    host.listed()
    numbers = [host.send(REQUIREMENTS) for _ in range(8)]
    answers = [packet for packet in host.receive() if packet.packet_type == VM_PKT_COMP]
    answered = [answer.transaction_id for answer in answers]
    expect_each("the order of completions", answers, answered, numbers)


def id_zero_silent(host: HostBench) -> None:
    host.listed()
    expect("what comes for id 0", told(host.ask(REQUIREMENTS, transaction_id=0)), "nothing")


def id_zero_answered(host: HostBench) -> None:
    host.listed()
    answer = host.ask(REQUIREMENTS, transaction_id=0)
    expect("what comes for id 0", told(answer), "status 0x00000000")


def id_reused(host: HostBench) -> None:
    host.listed()
    for _ in range(3):
        answer = host.ask(REQUIREMENTS, transaction_id=1)
        expect("whether a completion came", answer.completion is not None, True)


AGREED: Final = "An agreed version and the relations known"
OV: Final = "OpenVMM device.rs, send_completion"

CASES: Final = (
    HostCase(
        id="completion-carries-the-id",
        strength="must",
        given=AGREED,
        when="a request has an id of 64 bits, as FreeBSD's pointers are",
        then="its completion carries all of them",
        source="vmbus_br.c, vmbus_pcib.c (FreeBSD); channel.c vmbus_request_addr_match()",
        check=id_kept,
    ),
    HostCase(
        id="completed-once",
        strength="must",
        given=AGREED,
        when="a request wants a completion",
        then="no more than one comes; the id may be another request's by then",
        source="channel.c vmbus_request_addr_match(); vmbus_pcib.c (FreeBSD)",
        check=completed_once,
    ),
    HostCase(
        id="id-may-be-used-again",
        strength="must",
        given="A request that was completed",
        when="the next has the same id, as Linux's have",
        then="that is completed, too",
        source="channel.c vmbus_next_request_id(), a stack of free ids",
        check=id_reused,
    ),
    HostCase(
        id="no-completion-unasked",
        strength="must",
        given=AGREED,
        when="a request wants no completion",
        then="none comes; Linux has no id for it",
        source=f"{OV}; ring_buffer.c hv_ringbuffer_write()",
        check=unasked_silent,
    ),
    HostCase(
        id="news-wants-no-completion",
        strength="must",
        given=AGREED,
        when="the host sends a packet of its own accord",
        then="it wants no completion: no guest gives one",
        source="pci-hyperv.c hv_pci_onchannelcallback(), VM_PKT_DATA_INBAND",
        check=news_wants_nothing,
    ),
    HostCase(
        id="news-has-id-0",
        strength="openvmm",
        given=AGREED,
        when="the host sends a packet of its own accord",
        then="its transaction id is 0",
        source="OpenVMM device.rs, send_packet",
        versions=FROM_1_2,
        check=news_has_no_id,
    ),
    HostCase(
        id="64-requests-at-once",
        strength="must",
        given=AGREED,
        when="the guest sends 64 requests, as many as Linux has ids, before it reads",
        then="each of them is answered",
        source="pci-hyperv.c HV_PCI_RQSTOR_SIZE; OpenVMM device.rs",
        check=many_at_once,
    ),
    HostCase(
        id="completions-in-order",
        strength="openvmm",
        given=AGREED,
        when="the guest sends eight requests before it reads",
        then="their completions come in the same order",
        source="OpenVMM device.rs, run(): one request at a time",
        versions=FROM_1_2,
        check=in_order,
    ),
    HostCase(
        id="id-0-not-answered",
        strength="hyperv",
        given=AGREED,
        when="a request with transaction id 0 wants a completion",
        then="none comes",
        source="channel.c vmbus_next_request_id(), comment; OpenVMM client, comment",
        check=id_zero_silent,
    ),
    HostCase(
        id="id-0-answered",
        strength="openvmm",
        given=AGREED,
        when="a request with transaction id 0 wants a completion",
        then="one comes",
        source=OV,
        versions=FROM_1_2,
        check=id_zero_answered,
    ),
)
