# SPDX-License-Identifier: MIT
"""Requests for interrupts of every form, and those that no host can grant."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import (
    OvCreateInterrupt,
    OvCreateInterrupt2,
    OvCreateInterrupt3,
    OvMsiResourceDescriptor,
    OvMsiResourceDescriptor2,
    OvMsiResourceDescriptor3,
)
from protocol.status import STATUS_SUCCESS
from protocol.vpci import (
    DELIVERY_MODE_LOWEST_PRIORITY,
    HvMsiDesc,
    MessageType,
    PciCreateInterrupt,
    TranIntDesc,
)
from sim.conformance.answers import BAD_DATA, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
from sim.conformance.host_interrupts import VECTOR, VP, create, create_message, message_in

M = MessageType
FOR_ANY: Final = PciCreateInterrupt(int_desc=HvMsiDesc(VECTOR, 0, 1, 0, (1 << 64) - 1))
NO_MESSAGE: Final = TranIntDesc(0, 0, 0, 0)


def _refused(host: HostBench, what: str, message: bytes) -> None:
    host.assigned()
    expect(f"the status for {what}", host.ask(message).status, BAD_DATA)


def no_vectors(host: HostBench) -> None:
    host.assigned()
    answer = create(host, count=0)
    expect("the status", answer.status, STATUS_SUCCESS)
    expect("the message", message_in(answer), NO_MESSAGE)


def no_vectors_seen(host: HostBench) -> None:
    host.assigned()
    raise Nonconforming(f"a request for no vectors gets {told(create(host, count=0))}")


def too_many_vectors(host: HostBench) -> None:
    _refused(host, "33 vectors", create_message(host, count=33))


def most_vectors(host: HostBench) -> None:
    host.assigned()
    message_in(create(host, vector=0x40, count=32))


def no_processors(host: HostBench) -> None:
    _refused(host, "no processors", create_message(host, vps=()))


def too_many_processors(host: HostBench) -> None:
    listed = OvMsiResourceDescriptor2(VECTOR, 0, 1, 33)
    message = OvCreateInterrupt2(interrupt=listed).build()
    _refused(host, "33 processors", message)


def unknown_processor_seen(host: HostBench) -> None:
    host.assigned()
    raise Nonconforming(f"a processor that is not there gets {told(create(host, vps=(63,)))}")


def _delivery(host: HostBench, mode: int) -> bytes:
    at = 8 + (4 if host.dialect.max_vector > 0xFF else 1)
    message = bytearray(create_message(host))
    message[at] = mode
    return bytes(message)


def other_delivery(host: HostBench) -> None:
    _refused(host, "delivery mode 2", _delivery(host, 2))


def lowest_priority(host: HostBench) -> None:
    host.assigned()
    message_in(host.ask(_delivery(host, DELIVERY_MODE_LOWEST_PRIORITY)))


def any_processor(host: HostBench) -> None:
    host.assigned()
    message_in(host.ask(FOR_ANY))


def any_processor_refused(host: HostBench) -> None:
    _refused(host, "a mask of all ones", FOR_ANY.build())


def every_form(host: HostBench) -> None:
    host.assigned()
    processors = (VP, *[0] * 31)
    for message in (
        OvCreateInterrupt(interrupt=OvMsiResourceDescriptor(0x51, 0, 1, (0, 0), 1 << VP)),
        OvCreateInterrupt2(interrupt=OvMsiResourceDescriptor2(0x52, 0, 1, 1, processors)),
        OvCreateInterrupt3(interrupt=OvMsiResourceDescriptor3(0x53, 0, 0, 1, 1, processors)),
    ):
        status = host.ask(message).status
        expect(f"the status of {M(message.message_type).name}", status, STATUS_SUCCESS)


def early(host: HostBench) -> None:
    host.ready()
    expect("the status", create(host).status, STATUS_SUCCESS)


def early_seen(host: HostBench) -> None:
    host.powered()
    answer = create(host)
    raise Nonconforming(f"an interrupt without resources assigned gets {told(answer)}")


ASSIGNED: Final = "A bus in D0 with resources assigned"
OV: Final = "OpenVMM device.rs, MsiResourceDescriptor"
COMPOSE: Final = "pci-hyperv.c hv_compose_msi_msg()"

CASES: Final = (
    HostCase(
        id="no-vectors-granted",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for no vectors",
        then="the host answers with success and a message of zeros",
        source=OV,
        versions=FROM_1_2,
        check=no_vectors,
    ),
    HostCase(
        id="no-vectors",
        strength="unknown",
        given=ASSIGNED,
        when="the guest asks for no vectors",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=no_vectors_seen,
    ),
    HostCase(
        id="32-vectors-granted",
        strength="hyperv",
        given=ASSIGNED,
        when="the guest asks for a block of 32 vectors, the most that multi-MSI has",
        then="the host answers with success",
        source=f"{COMPOSE}; PCI Local Bus 3.0, Multiple Message Capable",
        check=most_vectors,
    ),
    HostCase(
        id="33-vectors-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for a block of 33 vectors",
        then="the host answers with BAD_DATA",
        source=OV,
        versions=FROM_1_2,
        check=too_many_vectors,
    ),
    HostCase(
        id="no-processors-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest names no processor",
        then="the host answers with BAD_DATA",
        source=OV,
        versions=FROM_1_2,
        check=no_processors,
    ),
    HostCase(
        id="33-processors-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest claims to name 33 processors",
        then="the host answers with BAD_DATA",
        source=OV,
        versions=FROM_1_2,
        check=too_many_processors,
    ),
    HostCase(
        id="unknown-processor",
        strength="unknown",
        given=ASSIGNED,
        when="the guest names a processor that the VM does not have",
        then="it is not established what the host answers; OpenVMM leaves it to the mapper",
        source=UNSOURCED,
        check=unknown_processor_seen,
    ),
    HostCase(
        id="delivery-mode-2-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for a delivery mode other than fixed and lowest priority",
        then="the host answers with BAD_DATA",
        source=OV,
        versions=FROM_1_2,
        check=other_delivery,
    ),
    HostCase(
        id="lowest-priority-granted",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for lowest-priority delivery",
        then="the host answers with success",
        source=OV,
        versions=FROM_1_2,
        check=lowest_priority,
    ),
    HostCase(
        id="any-processor-granted",
        strength="hyperv",
        given=ASSIGNED,
        when="the guest names all processors by a mask of all ones, as Linux does at 1.1",
        then="the host answers with success",
        source="pci-hyperv.c hv_compose_msi_req_v1(), CPU_AFFINITY_ALL",
        versions=("1.1",),
        check=any_processor,
    ),
    HostCase(
        id="any-processor-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest names all processors by a mask of all ones",
        then="the host answers with BAD_DATA, as more than 32 are named",
        source=OV,
        versions=FROM_1_2,
        check=any_processor_refused,
    ),
    HostCase(
        id="every-form-at-every-version",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for interrupts in the forms 1, 2 and 3",
        then="each is granted, whatever version was agreed",
        source="OpenVMM device.rs, parse_packet()",
        versions=FROM_1_2,
        check=every_form,
    ),
    HostCase(
        id="interrupt-granted-early",
        strength="openvmm",
        given="An agreed version and nothing else",
        when="the guest asks for an interrupt",
        then="the host answers with success: it keeps no state of D0 and resources",
        source="OpenVMM device.rs, handle_packet()",
        versions=FROM_1_2,
        check=early,
    ),
    HostCase(
        id="interrupt-without-resources",
        strength="unknown",
        given="A bus in D0 without resources assigned",
        when="the guest asks for an interrupt",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=early_seen,
    ),
)
