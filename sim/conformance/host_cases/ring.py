# SPDX-License-Identifier: MIT
"""Completions, transaction ids, order and room in the rings, as a host keeps them."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import MessageType, PciChildMessage, PciMessage
from sim.conformance.answers import completions_of, names_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, expect_count, expect_each
from sim.conformance.host_bench import HostBench
from sim.conformance.watched import Received

LARGE_ID: Final = 0xFEDC_BA98_7654_3210
AT_ONCE: Final = 64  # requests that Linux's table of ids has room for
MORE_THAN_FIT: Final = 300  # lists of one function; a ring of Linux's size holds 256
ROUNDS: Final = 530  # requests, by which both rings wrap
BROKEN_INDEX: Final = 0xFFFF_FFF0
M = MessageType

REQUIREMENTS: Final = PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 0)
QUERY: Final = PciMessage(M.PCI_QUERY_BUS_RELATIONS)


def _ready(host: HostBench) -> None:
    host.ready()
    host.functions()


def id_kept(host: HostBench) -> None:
    _ready(host)
    packets = host.ask(REQUIREMENTS, transaction_id=LARGE_ID).packets
    ids = [f"{p.transaction_id:#x}" for p in packets if p.packet_type == VM_PKT_COMP]
    expect("the id of the completion", ids[:1], [f"{LARGE_ID:#x}"])


def completed_once(host: HostBench) -> None:
    _ready(host)
    for request in (REQUIREMENTS, PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, 9)):
        number = host.send(request)
        answers = completions_of((*host.receive(), *host.receive()), number)
        if len(answers) > 1:
            what = f"{len(answers)} completions of one request came"
            raise Nonconforming(what, answers[1].at)


def unasked_silent(host: HostBench) -> None:
    _ready(host)
    expect_came("what came", host.tell(REQUIREMENTS).packets)


def _unsolicited(host: HostBench) -> list[Received]:
    _ready(host)
    packets = host.tell(QUERY).packets
    return [p for p in packets if p.packet_type == VM_PKT_DATA_INBAND]


def news_wants_nothing(host: HostBench) -> None:
    for packet in _unsolicited(host):
        expect("the flags of a list", packet.flags, 0, packet.at)


def news_has_no_id(host: HostBench) -> None:
    for packet in _unsolicited(host):
        expect("the transaction id of a list", packet.transaction_id, 0, packet.at)


def many_at_once(host: HostBench) -> None:
    _ready(host)
    asked = {host.send(REQUIREMENTS): host.host.asked for _ in range(AT_ONCE)}
    answered = {p.transaction_id for p in host.receive() if p.packet_type == VM_PKT_COMP}
    missing = [number for number in asked if number not in answered]
    expect("the requests not answered", missing, [], asked[missing[0]] if missing else None)


def in_order(host: HostBench) -> None:
    _ready(host)
    numbers = [host.send(REQUIREMENTS) for _ in range(8)]
    answers = [packet for packet in host.receive() if packet.packet_type == VM_PKT_COMP]
    answered = [answer.transaction_id for answer in answers]
    expect_each("the order of completions", answers, answered, numbers)


def ring_wraps(host: HostBench) -> None:
    _ready(host)
    first = host.ask(REQUIREMENTS).completion
    for nth in range(ROUNDS):
        again = host.ask(REQUIREMENTS).completion
        if again != first:
            raise Nonconforming(f"the answer to request {nth + 2} differs from the first")


def full_ring_waited_for(host: HostBench) -> None:
    _ready(host)
    for _ in range(MORE_THAN_FIT):
        host.send(QUERY, completion=False)
    host.let_act()
    lists = [p for p in host.receive() if p.packet_type == VM_PKT_DATA_INBAND]
    expect_count("lists", lists, MORE_THAN_FIT)


def signals_news(host: HostBench) -> None:
    _ready(host)
    before = host.signals
    host.send(REQUIREMENTS)
    host.let_act()
    if host.signals == before:
        raise Nonconforming("no signal came")


def reads_only_with_room(host: HostBench) -> None:
    _ready(host)
    host.send(QUERY, completion=False)
    host.let_act()
    number = host.send(REQUIREMENTS)
    host.let_act()
    if host.to_host.empty():
        raise Nonconforming("a request was read while a packet lay in the ring to the guest")
    expect_count("completions once it was read", completions_of(host.receive(), number), 1)


def reading_seen(host: HostBench) -> None:
    _ready(host)
    host.send(QUERY, completion=False)
    host.let_act()
    host.send(REQUIREMENTS)
    host.let_act()
    read = "read" if host.to_host.empty() else "not read"
    raise Nonconforming(f"behind a packet that the guest has not taken, the next request is {read}")


def id_zero_silent(host: HostBench) -> None:
    _ready(host)
    expect("what comes for id 0", told(host.ask(REQUIREMENTS, transaction_id=0)), "nothing")


def id_zero_answered(host: HostBench) -> None:
    _ready(host)
    answer = host.ask(REQUIREMENTS, transaction_id=0)
    expect("what comes for id 0", told(answer), "status 0x00000000")


def id_reused(host: HostBench) -> None:
    _ready(host)
    for _ in range(3):
        answer = host.ask(REQUIREMENTS, transaction_id=1)
        expect("whether a completion came", answer.completion is not None, True)


def _break_ring(host: HostBench) -> None:
    host.to_host.write_index = BROKEN_INDEX
    host.host.signal(host.channel)


def broken_ring(host: HostBench) -> None:
    _ready(host)
    _break_ring(host)
    host.let_act()
    host.close()
    host.open()
    expect("the status of the version query", host.negotiate().status, 0)


def broken_ring_seen(host: HostBench) -> None:
    _ready(host)
    _break_ring(host)
    words = names_of(host.receive())
    what = ", ".join(words) or "nothing"
    gone = "is rescinded" if host.rescinded else "stays offered"
    raise Nonconforming(f"after an index out of range {what} comes, and the channel {gone}")


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
        id="rings-wrap",
        strength="must",
        given=AGREED,
        when="the guest asks the same 530 times, by which both rings have wrapped",
        then="the answer is always the same",
        source="ring_buffer.c hv_copyto_ringbuffer(); OpenVMM vmbus_ring",
        check=ring_wraps,
    ),
    HostCase(
        id="full-ring-waited-for",
        strength="must",
        given=AGREED,
        when="the guest reads nothing until the lists of 300 queries no longer fit the ring",
        then="all come once it reads: the host waits for room and drops nothing",
        source="ring_buffer.c hv_pkt_iter_close(), pending_send_sz; OpenVMM vmbus_ring",
        check=full_ring_waited_for,
    ),
    HostCase(
        id="empty-ring-signalled",
        strength="must",
        given="A guest that has read all that came",
        when="the host writes a completion",
        then="it signals the channel; nobody looks into the ring otherwise",
        source="ring_buffer.c hv_signal_on_write(); OpenVMM vmbus_ring",
        check=signals_news,
    ),
    HostCase(
        id="reads-only-with-room",
        strength="openvmm",
        given="A packet that the guest has not taken from the ring",
        when="the guest sends a request",
        then="the host does not read it until the largest completion would fit",
        source="OpenVMM device.rs, MAXIMUM_PACKET_SIZE",
        versions=FROM_1_2,
        check=reads_only_with_room,
    ),
    HostCase(
        id="reading-without-room",
        strength="unknown",
        given="A packet that the guest has not taken from the ring",
        when="the guest sends a request",
        then="it is not established whether the host reads it",
        source=UNSOURCED,
        check=reading_seen,
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
    HostCase(
        id="broken-ring-is-not-the-end",
        strength="must",
        given="A channel on which the guest has put an index out of range",
        when="the guest closes it, opens it and asks for a version",
        then="the host answers with success",
        source="OpenVMM device.rs, WorkerError; ring_buffer.c hv_ringbuffer_write()",
        check=broken_ring,
    ),
    HostCase(
        id="broken-ring",
        strength="unknown",
        given=AGREED,
        when="the guest puts an index out of range",
        then="it is not established what a Windows host does; OpenVMM's worker ends in silence",
        source=UNSOURCED,
        check=broken_ring_seen,
    ),
)
