# SPDX-License-Identifier: MIT
"""How many interrupts a host can have alive."""

from __future__ import annotations

from typing import Final

from sim.conformance.answers import BAD_DATA
from sim.conformance.case import HostCase
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_interrupts import create, created, message_in, msix_vectors

LIVE_IN_OPENVMM: Final = 494
FIRST_VECTOR: Final = 0x30
VECTORS: Final = 0xC0  # that are used in turn


def _vector(nth: int) -> int:
    return FIRST_VECTOR + nth % VECTORS


def whole_table(host: HostBench) -> None:
    host.assigned()
    created(host, vector=_vector(0))
    for nth in range(1, msix_vectors(host)):
        message_in(create(host, vector=_vector(nth)))


def stays_at_494(host: HostBench) -> None:
    host.assigned()
    with reaching("494 interrupts"):
        for nth in range(LIVE_IN_OPENVMM):
            created(host, vector=_vector(nth))
    expect("the status of the 495th", create(host).status, BAD_DATA)


CASES: Final = (
    HostCase(
        id="whole-msix-table-granted",
        strength="must",
        given="A bus in D0 with resources assigned",
        when="the guest asks for as many interrupts as the function's MSI-X table has entries",
        then="each is granted",
        source="PCI Local Bus 3.0, 6.8.2; pci-hyperv.c hv_compose_msi_msg()",
        check=whole_table,
    ),
    HostCase(
        id="495th-interrupt-refused",
        strength="openvmm",
        given="A function with 494 interrupts alive",
        when="the guest asks for another",
        then="the host answers with BAD_DATA",
        source="OpenVMM device.rs, MAX_SUPPORTED_INTERRUPT_MESSAGES",
        versions=("1.4",),
        check=stays_at_494,
    ),
)
