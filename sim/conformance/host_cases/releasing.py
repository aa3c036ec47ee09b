# SPDX-License-Identifier: MIT
"""Resources taken back and a function reset, as OpenVMM's host does it."""

from __future__ import annotations

from typing import Final

from protocol.pci_regs import PCI_COMMAND_MEMORY
from protocol.status import STATUS_SUCCESS
from protocol.versions import VPCI_1_5
from protocol.vpci import MessageType, PciChildMessage
from sim.conformance.answers import NOT_SUPPORTED
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import address_in, command, first_bar, set_command
from sim.conformance.host_interrupts import VECTOR, VP, heard, raised, retarget, wired
from sim.conformance.host_lists import (
    NOTHING,
    assign_list,
    listed_resources,
    memory_for,
    translated,
)

M = MessageType


def released(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    translated(assign_list(host, *memory_for(bar)))
    set_command(host, PCI_COMMAND_MEMORY)
    expect("the status", host.ask_child(M.PCI_RESOURCES_RELEASED).status, STATUS_SUCCESS)
    expect("memory decoding", command(host) & PCI_COMMAND_MEMORY, 0)
    expect("the BAR", address_in(host, bar), 0)
    expect("the resources", listed_resources(host), (NOTHING,) * 6)


def released_interrupts(host: HostBench) -> None:
    host.assigned()
    message = wired(host)
    heard(host)
    host.tell(PciChildMessage(M.PCI_RESOURCES_RELEASED, 0))
    expect("what reaches the processors", raised(host), ())
    if not retarget(host, message, VECTOR, VP):
        raise Nonconforming("the interrupt of a released function can be retargeted")


def reset_refused(host: HostBench) -> None:
    host.ready()
    expect("the status", host.ask_child(M.RESET_DEVICE).status, NOT_SUPPORTED)


def reset_refused_at_1_5(host: HostBench) -> None:
    with reaching("version 1.5"):
        expect("its status", host.negotiate(VPCI_1_5.version).status, STATUS_SUCCESS)
    expect("the status", host.ask_child(M.RESET_DEVICE).status, NOT_SUPPORTED)


CASES: Final = (
    HostCase(
        id="release-takes-all-back",
        strength="openvmm",
        given="A function that decodes memory",
        when="the guest releases its resources",
        then="memory decoding is off, BARs and resources are empty",
        source="OpenVMM device.rs, ReleaseResources",
        versions=FROM_1_2,
        check=released,
    ),
    HostCase(
        id="release-ends-interrupts",
        strength="openvmm",
        given="A function whose interrupt is delivered",
        when="the guest releases its resources",
        then="the interrupt comes no more, and nobody can retarget it",
        source="OpenVMM device.rs, ReleaseResources",
        versions=FROM_1_2,
        check=released_interrupts,
    ),
    HostCase(
        id="reset-not-supported",
        strength="openvmm",
        given="An agreed version",
        when="the guest asks for a reset of the function",
        then="the host answers with NOT_SUPPORTED",
        source="OpenVMM device.rs, ResetDevice",
        versions=FROM_1_2,
        check=reset_refused,
    ),
    HostCase(
        id="reset-not-supported-at-1.5",
        strength="openvmm",
        given="A host that has version 1.5, which brings the reset",
        when="the guest agrees on that and asks for a reset of the function",
        then="the host answers with NOT_SUPPORTED all the same",
        source="OpenVMM device.rs, ResetDevice",
        versions=("1.4",),
        check=reset_refused_at_1_5,
    ),
)
