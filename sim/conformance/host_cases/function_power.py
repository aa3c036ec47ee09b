# SPDX-License-Identifier: MIT
"""A function's own power, and what becomes of it when its bus leaves D0."""

from __future__ import annotations

from typing import Final

from protocol.pci_regs import PCI_COMMAND_MEMORY
from protocol.status import STATUS_SUCCESS
from protocol.vpci import POWER_STATE_D0, POWER_STATE_D3, PciSetPower
from sim.conformance.answers import BAD_DATA
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import command, set_command, started
from sim.conformance.host_interrupts import created, heard, raised, wired

D2: Final = 3


def exit_releases(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    host.left()
    expect("what reaches the processors", raised(host), ())


def exit_keeps(host: HostBench) -> None:
    host.assigned()
    wired(host)
    heard(host)
    host.left()
    expect("the number of interrupts", len(raised(host)), 1)
    created(host)


def _set_power(host: HostBench, state: int) -> int:
    return host.ask(PciSetPower(power_state=state)).status


def powers_function(host: HostBench) -> None:
    host.assigned()
    started(host)
    expect("the status for D3", _set_power(host, POWER_STATE_D3), STATUS_SUCCESS)
    expect("memory decoding in D3", command(host) & PCI_COMMAND_MEMORY, 0)
    expect("the status for D0", _set_power(host, POWER_STATE_D0), STATUS_SUCCESS)
    expect("memory decoding in D0", command(host) & PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY)


def other_power_refused(host: HostBench) -> None:
    host.assigned()
    expect("the status for D2", _set_power(host, D2), BAD_DATA)


def bare_power_reply(host: HostBench) -> None:
    host.assigned()
    answer = host.ask(PciSetPower(power_state=POWER_STATE_D0))
    expect("bytes of the reply, padded", len(answer.body), 8)


def decoding_survives(host: HostBench) -> None:
    host.assigned()
    set_command(host, PCI_COMMAND_MEMORY)
    host.left()
    host.entered()
    on = bool(command(host) & PCI_COMMAND_MEMORY)
    raise Nonconforming(f"after D0 exit and entry memory decoding is {'on' if on else 'off'}")


ASSIGNED: Final = "A bus in D0 with resources assigned"

CASES: Final = (
    HostCase(
        id="d0-exit-releases-interrupts",
        strength="hyperv",
        given="A function whose interrupt is delivered",
        when="the guest leaves D0 without having released resources, as Linux does at removal",
        then="the interrupt comes no more",
        source="pci-hyperv.c hv_pci_bus_exit(), which finds no child to release",
        check=exit_releases,
    ),
    HostCase(
        id="d0-exit-keeps-interrupts",
        strength="openvmm",
        given="A function whose interrupt is delivered",
        when="the guest leaves D0",
        then="the interrupt still comes, and requests are served",
        source="OpenVMM device.rs, FdoD0Exit",
        versions=FROM_1_2,
        check=exit_keeps,
    ),
    HostCase(
        id="decoding-over-d0-exit",
        strength="unknown",
        given="A function that decodes memory",
        when="the guest leaves D0 and enters it again",
        then="it is not established whether the function still decodes",
        source=UNSOURCED,
        check=decoding_survives,
    ),
    HostCase(
        id="power-state-turns-decoding",
        strength="openvmm",
        given="A function that decodes memory",
        when="the guest asks for power state D3 and then for D0",
        then="memory decoding goes off and on",
        source="OpenVMM device.rs, DevicePowerStateChange",
        versions=FROM_1_2,
        check=powers_function,
    ),
    HostCase(
        id="other-power-state-refused",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for power state D2",
        then="the host answers with BAD_DATA",
        source="OpenVMM device.rs, DevicePowerStateChange",
        versions=FROM_1_2,
        check=other_power_refused,
    ),
    HostCase(
        id="power-reply-is-a-status",
        strength="openvmm",
        given=ASSIGNED,
        when="the guest asks for power state D0",
        then="the reply is a bare status",
        source="OpenVMM device.rs, DevicePowerStateChange",
        versions=FROM_1_2,
        check=bare_power_reply,
    ),
)
