# SPDX-License-Identifier: MIT
"""D0 of the bus and power of a function, as a host keeps them."""

from __future__ import annotations

from typing import Final

from protocol.pci_regs import PCI_COMMAND_MEMORY
from protocol.status import STATUS_SUCCESS
from protocol.vpci import POWER_STATE_D0, POWER_STATE_D3, MessageType, PciSetPower
from sim.conformance.answers import BAD_DATA, relations_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_count, expect_refused, reaching
from sim.conformance.host_bench import OTHER_WINDOW, HostBench
from sim.conformance.host_device import command, set_command, started
from sim.conformance.host_interrupts import created, heard, raised, wired

D2: Final = 3
ALL_ONES: Final = 0xFFFF_FFFF
M = MessageType


def entered(host: HostBench) -> None:
    host.ready()
    host.functions()
    expect("the status", host.enter_d0().status, STATUS_SUCCESS)


def left(host: HostBench) -> None:
    host.powered()
    expect("the status", host.leave_d0().status, STATUS_SUCCESS)


def entered_again(host: HostBench) -> None:
    host.powered()
    host.left()
    expect("the status of D0 entry", host.enter_d0().status, STATUS_SUCCESS)


def assigned_again(host: HostBench) -> None:
    host.assigned()
    host.left()
    host.entered()
    expect("the status", host.assign().status, STATUS_SUCCESS)


def second_refused(host: HostBench) -> None:
    host.powered()
    expect_refused("a second D0 entry", host.enter_d0())


def second_accepted(host: HostBench) -> None:
    host.powered()
    answer = host.enter_d0(OTHER_WINDOW)
    expect("the status", answer.status, STATUS_SUCCESS)
    expect_count("lists", relations_of(answer.packets), 1)
    if host.read_config(0, window=OTHER_WINDOW) == ALL_ONES:
        raise Nonconforming("the window does not answer where it was moved to")
    expect("the first dword at the old window", host.read_config(0), ALL_ONES)


def second_seen(host: HostBench) -> None:
    host.powered()
    raise Nonconforming(f"a second D0 entry gets {told(host.enter_d0())}")


def outlives_close(host: HostBench) -> None:
    host.assigned()
    _reopened(host)
    expect_refused("D0 entry of the next kernel", host.enter_d0())
    expect("the status of D0 exit", host.leave_d0().status, STATUS_SUCCESS)
    expect("the status of D0 entry after it", host.enter_d0().status, STATUS_SUCCESS)


def ends_with_close(host: HostBench) -> None:
    host.assigned()
    _reopened(host)
    expect("the status of D0 entry", host.enter_d0().status, STATUS_SUCCESS)


def _reopened(host: HostBench) -> None:
    host.close()
    host.open()
    host.ready()
    host.functions()


def exit_seen(host: HostBench) -> None:
    host.ready()
    raise Nonconforming(f"D0 exit outside of D0 gets {told(host.leave_d0())}")


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


def window_unaligned(host: HostBench) -> None:
    host.ready()
    host.functions()
    answer = host.enter_d0(OTHER_WINDOW + 0x800)
    raise Nonconforming(f"a window that is not page-aligned gets {told(answer)}")


def window_moves(host: HostBench) -> None:
    host.powered()
    with reaching("a window"):
        _answers_at(host)
    host.left()
    host.entered(OTHER_WINDOW)
    if host.read_config(0, window=OTHER_WINDOW) == ALL_ONES:
        raise Nonconforming("the window does not answer where it was put")


def _answers_at(host: HostBench) -> None:
    if host.read_config(0) == ALL_ONES:
        raise Nonconforming("the window does not answer")


def window_gone_at_exit(host: HostBench) -> None:
    host.powered()
    host.left()
    expect("the first dword", host.read_config(0), ALL_ONES)


def window_gone_at_close(host: HostBench) -> None:
    host.powered()
    host.close()
    expect("the first dword", host.read_config(0), ALL_ONES)


def decoding_survives(host: HostBench) -> None:
    host.assigned()
    set_command(host, PCI_COMMAND_MEMORY)
    host.left()
    host.entered()
    on = bool(command(host) & PCI_COMMAND_MEMORY)
    raise Nonconforming(f"after D0 exit and entry memory decoding is {'on' if on else 'off'}")


RELATIONS_KNOWN: Final = "An agreed version and the relations known"
IN_D0: Final = "A bus in D0"
ASSIGNED: Final = "A bus in D0 with resources assigned"
OV_D0: Final = "OpenVMM device.rs, FdoD0Entry"

CASES: Final = (
    HostCase(
        id="d0-entered",
        strength="must",
        given=RELATIONS_KNOWN,
        when="the guest enters D0",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_enter_d0(); OpenVMM device.rs, FdoD0Entry",
        check=entered,
    ),
    HostCase(
        id="d0-left",
        strength="must",
        given=IN_D0,
        when="the guest leaves D0",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_bus_exit(); OpenVMM device.rs, FdoD0Exit",
        check=left,
    ),
    HostCase(
        id="d0-entered-again",
        strength="must",
        given="A bus that the guest has taken out of D0, as it does when it suspends",
        when="the guest enters D0",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_suspend(), hv_pci_resume(); OpenVMM device.rs",
        check=entered_again,
    ),
    HostCase(
        id="resources-assigned-after-resume",
        strength="must",
        given="A bus in D0 again after its resources were assigned and D0 left",
        when="the guest assigns the resources",
        then="the host answers with success",
        source="pci-hyperv.c hv_pci_resume(); OpenVMM device.rs",
        check=assigned_again,
    ),
    HostCase(
        id="second-d0-entry-refused",
        strength="hyperv",
        given=IN_D0,
        when="the guest enters D0 once more",
        then="the host answers with a failure; Linux then leaves D0 and tries again",
        source="pci-hyperv.c hv_pci_enter_d0(); commit c81992e7f4aa",
        check=second_refused,
    ),
    HostCase(
        id="second-d0-entry-accepted",
        strength="openvmm",
        given=IN_D0,
        when="the guest enters D0 once more with another window",
        then="the host lists, answers with success, and only the new window answers",
        source=OV_D0,
        versions=FROM_1_2,
        check=second_accepted,
    ),
    HostCase(
        id="second-d0-entry",
        strength="unknown",
        given=IN_D0,
        when="the guest enters D0 once more",
        then="no source states the status; 0xC0000184 is how people read Linux's retry",
        source=UNSOURCED,
        check=second_seen,
    ),
    HostCase(
        id="d0-outlives-close",
        strength="hyperv",
        given="A bus that a crashed guest has left in D0, its channel closed",
        when="the next kernel enters D0",
        then="that fails until it has left D0",
        source="commit c81992e7f4aa; pci-hyperv.c hv_pci_enter_d0()",
        check=outlives_close,
    ),
    HostCase(
        id="d0-ends-with-close",
        strength="openvmm",
        given="A bus that was in D0 when its channel was closed",
        when="a guest opens the channel and enters D0",
        then="the host answers with success",
        source="OpenVMM device.rs, close()",
        versions=FROM_1_2,
        check=ends_with_close,
    ),
    HostCase(
        id="d0-exit-outside",
        strength="unknown",
        given=RELATIONS_KNOWN,
        when="the guest leaves D0 without having entered it",
        then="it is not established what the host answers",
        source=UNSOURCED,
        check=exit_seen,
    ),
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
        id="window-answers-where-it-is-put",
        strength="must",
        given="A bus that has left D0",
        when="the guest enters D0 with the window elsewhere",
        then="configuration space answers there",
        source="pci-hyperv.c hv_pci_allocate_bridge_windows(); openvmm PR 1722",
        check=window_moves,
    ),
    HostCase(
        id="window-ends-with-d0",
        strength="openvmm",
        given=IN_D0,
        when="the guest leaves D0",
        then="reads of the window give all ones",
        source="OpenVMM device.rs, FdoD0Exit; bus.rs",
        versions=FROM_1_2,
        check=window_gone_at_exit,
    ),
    HostCase(
        id="window-ends-with-channel",
        strength="must",
        given=IN_D0,
        when="the guest closes the channel without leaving D0",
        then="reads of the window give all ones: what comes there next is not in the way",
        source="openvmm issue 1721 and PR 1722, which says that Hyper-V does so",
        check=window_gone_at_close,
    ),
    HostCase(
        id="unaligned-window",
        strength="unknown",
        given=RELATIONS_KNOWN,
        when="the guest enters D0 with a window that is not page-aligned",
        then="it is not established what the host answers; OpenVMM does not look",
        source=UNSOURCED,
        check=window_unaligned,
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
