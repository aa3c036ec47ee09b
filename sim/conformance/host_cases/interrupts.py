# SPDX-License-Identifier: MIT
"""Granting interrupts and delivering them, as a host does it; moving them is ``retargeting``."""

from __future__ import annotations

from typing import Final

from protocol.vpci import TranIntDesc
from sim.conformance.answers import completions_of
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_count
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import started
from sim.conformance.host_interrupts import (
    VECTOR,
    VP,
    Came,
    create,
    create_message,
    created,
    delete_message,
    heard,
    message_in,
    raised,
    wire_msi,
    wire_msix,
    wired,
)

INTERRUPTS: Final = 3


def granted(host: HostBench) -> None:
    host.assigned()
    message_in(create(host))


def silent_at_work(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    for _ in range(INTERRUPTS):
        with_it = host.order("raise-interrupt", wslot=0, index=0)
        expect_count("packets that came with an interrupt", with_it, 0)


def apart(host: HostBench) -> None:
    host.assigned()
    messages = [created(host, vector=VECTOR + nth) for nth in range(3)]
    pairs = {(message.address, message.data) for message in messages}
    expect("the number of different messages", len(pairs), 3)


def data_is_0(host: HostBench) -> None:
    host.assigned()
    message = created(host)
    expect("the data", message.data, 0)
    if not message.address:
        raise Nonconforming("the address is 0")


def delivered(host: HostBench) -> None:
    host.assigned()
    wired(host)
    expect("what reaches the processors", raised(host), (Came(VP, VECTOR),))


def second_entry_delivered(host: HostBench) -> None:
    host.assigned()
    bar = started(host)
    wire_msix(host, bar, created(host))
    heard(host)
    wire_msix(host, bar, created(host, vector=VECTOR + 1, vps=(2,)), index=1)
    expect("what reaches the processors", raised(host, 1), (Came(2, VECTOR + 1),))


def block_delivered(host: HostBench) -> None:
    host.assigned()
    started(host)
    wire_msi(host, created(host, vector=0x50, count=2, vps=(2,)))
    ((vp, vector),) = heard(host)
    expect("what the second vector gives", raised(host, 1), (Came(vp, vector + 1),))


def block_counted(host: HostBench) -> None:
    host.assigned()
    expect("the count of messages", created(host, count=4).vector_count, 4)


def created_behind_delete(host: HostBench) -> None:
    host.assigned()
    bar = started(host)
    message = created(host)
    wire_msix(host, bar, message)
    heard(host)
    host.send(delete_message(message), completion=False)
    number = host.send(create_message(host, vector=VECTOR + 2, vps=(3,)))
    answers = completions_of(host.receive(), number)
    if not answers:
        raise Nonconforming("no completion came", host.host.asked)
    host.host.place = answers[0].at
    wire_msix(host, bar, _granted_in(answers[0].payload))
    expect("what reaches the processors", raised(host), (Came(3, VECTOR + 2),))


def _granted_in(body: bytes) -> TranIntDesc:
    expect("the status of the create request", int.from_bytes(body[:4], "little"), 0)
    return TranIntDesc.parse(body[8:])


ASSIGNED: Final = "A bus in D0 with resources assigned"
DELIVERED: Final = "A function whose interrupt is delivered"
COMPOSE: Final = "pci-hyperv.c hv_compose_msi_msg()"

CASES: Final = (
    HostCase(
        id="interrupt-granted",
        strength="must",
        given=ASSIGNED,
        when="the guest asks for one vector on one processor in the form of the version",
        then="the reply is success with a message, 24 bytes in all",
        source=f"{COMPOSE}, hv_pci_compose_compl(); OpenVMM test verify_simple_device_interrupt",
        check=granted,
    ),
    HostCase(
        id="messages-are-apart",
        strength="must",
        given=ASSIGNED,
        when="the guest asks for three interrupts",
        then="no two have the same message",
        source="OpenVMM test helpers: two blocks get addresses of their own",
        check=apart,
    ),
    HostCase(
        id="message-has-address-only",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for one vector on one processor",
        then="the message has an address, and 0 as its data",
        source="OpenVMM test verify_simple_device_interrupt",
        versions=FROM_1_2,
        check=data_is_0,
    ),
    HostCase(
        id="interrupt-delivered",
        strength="must",
        given="A function that was given a message",
        when="it sends the message",
        then="the vector asked for comes once, at the processor asked for",
        source=f"{COMPOSE}; OpenVMM test helpers, single delivery",
        check=delivered,
    ),
    HostCase(
        id="host-silent-at-work",
        strength="hyperv",
        given="A function whose device is at work",
        when="three interrupts come",
        then="no packet comes: once all is set up, the channel is silent",
        source="Linux Documentation/virt/hyperv/vpci.rst, PCI Device Operation",
        check=silent_at_work,
    ),
    HostCase(
        id="each-message-its-own-vector",
        strength="must",
        given="A function with two interrupts",
        when="it sends the second message",
        then="the second vector comes, at the second's processor",
        source="OpenVMM test helpers: two blocks, each with its own processor",
        check=second_entry_delivered,
    ),
    HostCase(
        id="block-delivers-by-data",
        strength="must",
        given="A function that was given a block of two vectors",
        when="it sends the message with data and with data + 1",
        then="the first and the second vector come",
        source=f"{COMPOSE}, which asks once for a block; OpenVMM test helpers, 2-vector block",
        broken_by={"openvmm": "its table for x86 does not look at a message's data"},
        check=block_delivered,
    ),
    HostCase(
        id="message-count-repeated",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for a block of four vectors",
        then="the reply counts four messages",
        source="OpenVMM device.rs, CreateInterruptReply",
        versions=FROM_1_2,
        check=block_counted,
    ),
    HostCase(
        id="requests-served-in-order",
        strength="must",
        given=DELIVERED,
        when="the guest deletes it and, without waiting, asks for another",
        then="the other is granted and delivered",
        source=f"{COMPOSE}, which deletes the old one first",
        check=created_behind_delete,
    ),
)
