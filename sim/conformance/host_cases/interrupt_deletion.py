# SPDX-License-Identifier: MIT
"""Taking interrupts back, as a host does it, and what of them is left."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType, TranIntDesc
from sim.conformance.answers import BAD_DATA
from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect, expect_came
from sim.conformance.host_bench import HostBench
from sim.conformance.host_interrupts import VECTOR, created, delete_message, heard, raised, wired

M = MessageType
NO_MESSAGE: Final = TranIntDesc(0, 0, 0, 0)


def deleted(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    host.tell(delete_message(message))
    expect("what reaches the processors", raised(host), ())


def others_stay(host: HostBench) -> None:
    host.assigned()
    wired(host)
    before = heard(host)
    other = created(host, vector=VECTOR + 1)
    host.tell(delete_message(other))
    expect("what reaches the processors", raised(host), before)


def delete_answered(host: HostBench) -> None:
    host.assigned()
    message = created(host)
    expect("the status", host.ask(delete_message(message)).status, STATUS_SUCCESS)
    expect("the status of the second", host.ask(delete_message(message)).status, BAD_DATA)


def form_2_deletes(host: HostBench) -> None:
    host.assigned()
    request = delete_message(created(host), M.PCI_DELETE_INTERRUPT_MESSAGE2)
    expect("the status", host.ask(request).status, STATUS_SUCCESS)


def unknown_delete_silent(host: HostBench) -> None:
    host.assigned()
    packets = host.tell(delete_message(replace(NO_MESSAGE, address=0x1234))).packets
    expect_came("what came", packets)


def lowest_reused(host: HostBench) -> None:
    host.assigned()
    first, second = created(host), created(host, vector=VECTOR + 1)
    created(host, vector=VECTOR + 2)
    host.tell(delete_message(second))
    host.tell(delete_message(first))
    again = created(host, vector=VECTOR + 3)
    expect("the address of the next", again.address, first.address)


def after_close(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    host.close()
    host.host.order("raise-interrupt", host.channel, wslot=0, index=0)
    expect("what reaches the processors", tuple(host.host.interrupts()), ())


ASSIGNED: Final = "A bus in D0 with resources assigned"
DELIVERED: Final = "A function whose interrupt is delivered"

CASES: Final = (
    HostCase(
        id="deleted-interrupt-ends",
        strength="must",
        given=DELIVERED,
        when="the guest deletes it without wanting a completion, as Linux does",
        then="the function's message is dropped",
        source="pci-hyperv.c hv_int_desc_free(); OpenVMM apic_software_device",
        check=deleted,
    ),
    HostCase(
        id="other-interrupts-stay",
        strength="must",
        given="A function with two interrupts",
        when="the guest deletes the second",
        then="the first is still delivered",
        source="pci-hyperv.c hv_int_desc_free(); OpenVMM device.rs, DeleteInterrupt",
        check=others_stay,
    ),
    HostCase(
        id="delete-answered-if-asked",
        strength="openvmm",
        given="A granted interrupt",
        when="the guest deletes it twice and wants completions",
        then="the first is success, the second BAD_DATA",
        source="OpenVMM device.rs, DeleteInterrupt",
        versions=FROM_1_2,
        check=delete_answered,
    ),
    HostCase(
        id="delete-form-2",
        strength="openvmm",
        given="A granted interrupt",
        when="the guest deletes it by DELETE_INTERRUPT_MESSAGE2",
        then="the host answers with success",
        source="OpenVMM device.rs, parse_packet()",
        versions=FROM_1_2,
        check=form_2_deletes,
    ),
    HostCase(
        id="unknown-delete-is-silent",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest deletes a message that nobody gave it and wants no completion",
        then="nothing comes",
        source="OpenVMM device.rs, DeleteInterrupt",
        versions=FROM_1_2,
        check=unknown_delete_silent,
    ),
    HostCase(
        id="lowest-entry-reused",
        strength="openvmm",
        given="Three interrupts of which the second and then the first were deleted",
        when="the guest asks for another",
        then="it has the address of the first",
        source="OpenVMM test helpers, lowest free entry",
        versions=FROM_1_2,
        check=lowest_reused,
    ),
    HostCase(
        id="interrupts-end-with-channel",
        strength="openvmm",
        given=DELIVERED,
        when="the guest closes the channel and the function sends its message",
        then="the message is dropped",
        source="OpenVMM device.rs, close(); apic_software_device",
        versions=FROM_1_2,
        check=after_close,
    ),
)
