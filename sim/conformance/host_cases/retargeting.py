# SPDX-License-Identifier: MIT
"""Sending an interrupt elsewhere by hypercall, as a host does it."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from protocol.hypercall import (
    HV_STATUS_INVALID_DEVICE_ID,
    HV_STATUS_INVALID_PARAMETER,
    HV_STATUS_SUCCESS,
)
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
from sim.conformance.host_interrupts import Came, heard, raised, retarget, wired

OTHER_VECTOR: Final = 0x61
OTHER_DEVICE: Final = 1 << 20  # XORed into the device's own id


def moved(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    status = retarget(host, message, OTHER_VECTOR, 2)
    expect("the status of the hypercall", status, HV_STATUS_SUCCESS)
    expect("what reaches the processors", raised(host), (Came(2, OTHER_VECTOR),))


def moved_to_set(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    retarget(host, message, OTHER_VECTOR, 2, 3)
    came = raised(host)
    if len(came) != 1 or came[0] not in (Came(2, OTHER_VECTOR), Came(3, OTHER_VECTOR)):
        raise Nonconforming(f"what reaches the processors is {', '.join(map(str, came))}")


def first_of_set(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    retarget(host, message, OTHER_VECTOR, 2, 3)
    expect("what reaches the processors", raised(host), (Came(2, OTHER_VECTOR),))


def unknown_device(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    status = retarget(host, message, OTHER_VECTOR, 2, device=OTHER_DEVICE)
    expect("the status of the hypercall", status, HV_STATUS_INVALID_DEVICE_ID)


def unknown_message(host: HostBench) -> None:
    host.assigned()
    message = replace(wired(host), address=0xFEE0_F000)
    status = retarget(host, message, OTHER_VECTOR, 2)
    expect("the status of the hypercall", status, HV_STATUS_INVALID_PARAMETER)


def failure_changes_nothing(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    before = heard(host)
    retarget(host, replace(message, address=message.address ^ 0xF000), OTHER_VECTOR, 2)
    expect("what reaches the processors", raised(host), before)


def unknown_processor(host: HostBench) -> None:
    host.assigned()
    status = retarget(host, wired(host), OTHER_VECTOR, 40)
    raise Nonconforming(f"a processor that is not there gets HV_STATUS {status:#x}")


DELIVERED: Final = "A function whose interrupt is delivered"
TABLE: Final = "OpenVMM apic_software_device"

CASES: Final = (
    HostCase(
        id="retargeted-interrupt-moves",
        strength="must",
        given=DELIVERED,
        when="the guest retargets it, naming device and processor in the form of the version",
        then="another vector comes at another processor",
        source="pci-hyperv.c hv_irq_unmask(); OpenVMM test verify_retarget",
        check=moved,
    ),
    HostCase(
        id="retargeted-to-set-comes-once",
        strength="must",
        given=DELIVERED,
        when="the guest retargets it to two processors",
        then="it comes once, at one of them",
        source="pci-hyperv.c hv_irq_unmask(), without MULTICAST; OpenVMM test verify_retarget",
        check=moved_to_set,
    ),
    HostCase(
        id="first-of-set-takes",
        strength="openvmm",
        given=DELIVERED,
        when="the guest retargets it to two processors",
        then="the first of them gets it",
        source="OpenVMM test verify_retarget",
        versions=FROM_1_2,
        check=first_of_set,
    ),
    HostCase(
        id="retarget-of-unknown-device",
        strength="openvmm",
        given=DELIVERED,
        when="the guest retargets a message of a device that there is not",
        then="the hypercall fails with InvalidDeviceId",
        source=TABLE,
        versions=FROM_1_2,
        check=unknown_device,
    ),
    HostCase(
        id="retarget-of-unknown-message",
        strength="openvmm",
        given=DELIVERED,
        when="the guest retargets a message that nobody gave it",
        then="the hypercall fails with InvalidParameter",
        source=TABLE,
        versions=FROM_1_2,
        check=unknown_message,
    ),
    HostCase(
        id="failed-retarget-changes-nothing",
        strength="must",
        given=DELIVERED,
        when="the guest retargets a message that nobody gave it",
        then="the interrupt comes where it came before",
        source=f"pci-hyperv.c hv_irq_unmask(); {TABLE}",
        check=failure_changes_nothing,
    ),
    HostCase(
        id="retarget-to-unknown-processor",
        strength="unknown",
        given=DELIVERED,
        when="the guest retargets it to a processor that the VM does not have",
        then="it is not established what a Windows host answers",
        source="none: OpenVMM changes vector and mode before it looks",
        check=unknown_processor,
    ),
)
