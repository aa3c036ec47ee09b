# SPDX-License-Identifier: MIT
"""Agreeing on a protocol version, as a host does it."""

from __future__ import annotations

from typing import Final

from protocol.status import STATUS_REVISION_MISMATCH, unsigned
from sim.conformance.case import HostCase
from sim.conformance.host_bench import HostBench, expect

UNKNOWN_VERSION: Final = 0x20000


def accepted(host: HostBench) -> None:
    host.ready()
    host.list_functions()


def unknown_version_refused(host: HostBench) -> None:
    expect("the status", host.negotiate(UNKNOWN_VERSION).status, unsigned(STATUS_REVISION_MISMATCH))
    host.ready()


CASES: Final = (
    HostCase(
        id="version-accepted",
        strength="must",
        given="A channel that was just opened",
        when="the guest asks for a version that the host has",
        then="the host accepts it and goes on to list its functions",
        source="pci-hyperv.c hv_pci_protocol_negotiation(); OpenVMM vpci/src/device.rs",
        check=accepted,
    ),
    HostCase(
        id="unknown-version-refused",
        strength="must",
        given="A channel that was just opened",
        when="the guest asks for version 2.0 and then for one that the host has",
        then="the first is refused with REVISION_MISMATCH and the second accepted",
        source="OpenVMM test verify_version_negotiation; pci-hyperv.c STATUS_REVISION_MISMATCH",
        check=unknown_version_refused,
    ),
)
