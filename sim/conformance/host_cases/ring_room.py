# SPDX-License-Identifier: MIT
"""Room in the rings and its end, as a host minds them, and rings that are broken."""

from __future__ import annotations

from typing import Final

from protocol.vmbus import VM_PKT_DATA_INBAND
from sim.conformance.answers import completions_of, names_of
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_count
from sim.conformance.host_bench import HostBench
from sim.conformance.host_requests import QUERY, REQUIREMENTS

MORE_THAN_FIT: Final = 300  # lists of one function; a ring of Linux's size holds 256
ROUNDS: Final = 530  # requests, by which both rings wrap
BROKEN_INDEX: Final = 0xFFFF_FFF0


def ring_wraps(host: HostBench) -> None:
    host.listed()
    first = host.ask(REQUIREMENTS).completion
    for nth in range(ROUNDS):
        again = host.ask(REQUIREMENTS).completion
        if again != first:
            raise Nonconforming(f"the answer to request {nth + 2} differs from the first")


def full_ring_waited_for(host: HostBench) -> None:
    host.listed()
    for _ in range(MORE_THAN_FIT):
        host.send(QUERY, completion=False)
    host.let_act()
    lists = [p for p in host.receive() if p.packet_type == VM_PKT_DATA_INBAND]
    expect_count("lists", lists, MORE_THAN_FIT)


def signals_news(host: HostBench) -> None:
    host.listed()
    before = host.signals
    host.send(REQUIREMENTS)
    host.let_act()
    if host.signals == before:
        raise Nonconforming("no signal came")


def reads_only_with_room(host: HostBench) -> None:
    host.listed()
    host.send(QUERY, completion=False)
    host.let_act()
    number = host.send(REQUIREMENTS)
    host.let_act()
    if host.to_host.empty():
        raise Nonconforming("a request was read while a packet lay in the ring to the guest")
    expect_count("completions once it was read", completions_of(host.receive(), number), 1)


def reading_seen(host: HostBench) -> None:
    host.listed()
    host.send(QUERY, completion=False)
    host.let_act()
    host.send(REQUIREMENTS)
    host.let_act()
    read = "read" if host.to_host.empty() else "not read"
    raise Nonconforming(f"behind a packet that the guest has not taken, the next request is {read}")


def _break_ring(host: HostBench) -> None:
    host.to_host.write_index = BROKEN_INDEX
    host.host.signal(host.channel)


def broken_ring(host: HostBench) -> None:
    host.listed()
    _break_ring(host)
    host.let_act()
    host.close()
    host.open()
    expect("the status of the version query", host.negotiate().status, 0)


def broken_ring_seen(host: HostBench) -> None:
    host.listed()
    _break_ring(host)
    words = names_of(host.receive())
    what = ", ".join(words) or "nothing"
    gone = "is rescinded" if host.rescinded else "stays offered"
    raise Nonconforming(f"after an index out of range {what} comes, and the channel {gone}")


AGREED: Final = "An agreed version and the relations known"

CASES: Final = (
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
