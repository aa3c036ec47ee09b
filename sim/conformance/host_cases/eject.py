# SPDX-License-Identifier: MIT
"""Asking a guest to give a function up, as a host does it. OpenVMM's never does."""

from __future__ import annotations

from typing import Final

from protocol.vpci import MessageType, PciDevIncoming, PciEjectResponse, message_type
from sim.conformance.answers import BAD_DATA, names_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_came, expect_each, expect_listed, reaching
from sim.conformance.host_bench import ONES, HostBench
from sim.conformance.host_device import address_in, expect_answer, started
from sim.conformance.host_interrupts import heard, raised, wired
from sim.conformance.watched import Received

SECOND_NS: Final = 1_000_000_000
GRACE_S: Final = 60
M = MessageType


def _ejected(host: HostBench, wslot: int = 0) -> list[Received]:
    packets = host.order("eject", wslot=wslot)
    return [packet for packet in packets if message_type(packet.payload) == M.PCI_EJECT]


def _asked(host: HostBench, wslot: int = 0) -> None:
    with reaching("an EJECT"):
        expect("whether an EJECT came", bool(_ejected(host, wslot)), True)


def asked_once(host: HostBench) -> None:
    host.assigned()
    ejects = _ejected(host)
    slots = [PciDevIncoming.parse(eject.payload).wslot for eject in ejects]
    expect_each("the slots of the EJECTs", ejects, slots, [0])


def works_on(host: HostBench) -> None:
    host.assigned()
    bar = started(host)
    with reaching("a BAR that answers"):
        expect_answer(host, bar)
    _asked(host)
    expect("the BAR", address_in(host, bar), bar.base)
    expect_answer(host, bar)


def interrupts_on(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    _asked(host)
    expect("the number of interrupts", len(raised(host)), 1)


def given_up(host: HostBench) -> None:
    host.assigned()
    _asked(host)
    host.tell(PciEjectResponse())
    host.let_act()
    if not host.rescinded:
        raise Nonconforming("the channel is still offered")


def list_without(host: HostBench) -> None:
    host.assigned(0, 1)
    _asked(host, 1)
    expect_listed(host.tell(PciEjectResponse(wslot=1)).packets, 0)


def sibling_stays(host: HostBench) -> None:
    host.assigned(0, 1)
    _asked(host, 1)
    host.tell(PciEjectResponse(wslot=1))
    host.tell(PciEjectResponse(wslot=1))
    host.let_act()
    expect("whether the channel is rescinded", host.rescinded, False)
    if host.read_config(0) == ONES:
        raise Nonconforming("the other function does not answer")


def waits(host: HostBench) -> None:
    host.assigned()
    _asked(host)
    host.host.pass_time((GRACE_S - 2) * SECOND_NS)
    expect("whether the channel is rescinded", host.rescinded, False)
    if host.read_config(0) == ONES:
        raise Nonconforming("the function does not answer")


def forced(host: HostBench) -> None:
    host.assigned()
    _asked(host)
    host.host.pass_time((GRACE_S + 2) * SECOND_NS)
    host.receive()
    expect("whether the channel is rescinded", host.rescinded, True)


def early(host: HostBench) -> None:
    host.listed()
    words = names_of(host.order("eject", wslot=0))
    told_of = ", ".join(words) or "nothing"
    raise Nonconforming(f"ejecting a function without resources brings {told_of}")


def unasked(host: HostBench) -> None:
    host.assigned()
    answer = host.ask(PciEjectResponse())
    raise Nonconforming(f"EJECTION_COMPLETE that nobody asked for gets {told(answer)}")


def unknown_to_openvmm(host: HostBench) -> None:
    host.assigned()
    expect("the status", host.ask(PciEjectResponse()).status, BAD_DATA)
    expect_came("what came without asking", host.tell(PciEjectResponse()).packets)


ASSIGNED: Final = "A bus in D0 with resources assigned"
EJECTED: Final = "A function that the guest was asked to give up"
WORK: Final = "pci-hyperv.c hv_eject_device_work()"

CASES: Final = (
    HostCase(
        id="eject-asks-once",
        strength="hyperv",
        given=ASSIGNED,
        when="the administrator takes the function back",
        then="one EJECT comes, for its slot; a second would end Linux's work item",
        source="pci-hyperv.c hv_pci_eject_device(), INIT_WORK()",
        check=asked_once,
    ),
    HostCase(
        id="ejected-function-works-on",
        strength="must",
        given=EJECTED,
        when="the guest has not said yet that it has",
        then="configuration space and BARs answer: the driver is still taking leave",
        source=f"{WORK}; openvmm issue 3077",
        check=works_on,
    ),
    HostCase(
        id="ejected-function-interrupts-on",
        strength="hyperv",
        given=EJECTED,
        when="the function raises an interrupt before the guest has said that it has",
        then="it is delivered",
        source=f"{WORK}, which frees the interrupts before it answers",
        check=interrupts_on,
    ),
    HostCase(
        id="channel-goes-with-last-function",
        strength="hyperv",
        given=EJECTED,
        when="the guest says that it has, and there is no other",
        then="the channel is rescinded",
        source="Linux Documentation/PCI/controller/vpci.rst, PCI Device Removal",
        check=given_up,
    ),
    HostCase(
        id="list-after-ejection",
        strength="hyperv",
        given="One of two functions that the guest was asked to give up",
        when="the guest says that it has",
        then="one list comes, with the other only",
        source="pci-hyperv.c pci_devices_present_work()",
        bus="two",
        check=list_without,
    ),
    HostCase(
        id="other-function-stays",
        strength="hyperv",
        given="One of two functions that the guest was asked to give up",
        when="the guest says so twice",
        then="the other stays and answers",
        source=f"{WORK}: an answer names its slot",
        bus="two",
        check=sibling_stays,
    ),
    HostCase(
        id="eject-waits-60-seconds",
        strength="hyperv",
        given=EJECTED,
        when="the guest says nothing for 58 seconds",
        then="the function is still there",
        source=f"{WORK}, comment",
        check=waits,
    ),
    HostCase(
        id="overdue-eject-is-forced",
        strength="hyperv",
        given=EJECTED,
        when="the guest says nothing for 62 seconds",
        then="the channel is rescinded",
        source=f"{WORK}, comment; vpci.rst",
        check=forced,
    ),
    HostCase(
        id="eject-without-resources",
        strength="unknown",
        given="A guest that has listed the functions and holds no resources",
        when="the administrator takes the function back",
        then="it is not established what the host sends: an EJECT, or a list without it",
        source="none: commit 340d45569940 tells of lists",
        check=early,
    ),
    HostCase(
        id="ejection-complete-unasked",
        strength="unknown",
        given=ASSIGNED,
        when="the guest says that it has given up what it was not asked for",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=unasked,
    ),
    HostCase(
        id="ejection-complete-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest sends EJECTION_COMPLETE, with and without wanting a completion",
        then="the first gets BAD_DATA, the second nothing",
        source="OpenVMM device.rs, unknown type",
        versions=FROM_1_2,
        check=unknown_to_openvmm,
    ),
)
