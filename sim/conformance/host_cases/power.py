# SPDX-License-Identifier: MIT
"""D0 of the bus, as a host lets a guest in and out."""

from __future__ import annotations

from typing import Final

from protocol.status import STATUS_SUCCESS
from sim.conformance.answers import relations_of, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_count, expect_refused
from sim.conformance.host_bench import ONES, OTHER_WINDOW, HostBench


def entered(host: HostBench) -> None:
    host.listed()
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
    if host.read_config(0, window=OTHER_WINDOW) == ONES:
        raise Nonconforming("the window does not answer where it was moved to")
    expect("the first dword at the old window", host.read_config(0), ONES)


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
    host.listed()


def exit_seen(host: HostBench) -> None:
    host.ready()
    raise Nonconforming(f"D0 exit outside of D0 gets {told(host.leave_d0())}")


RELATIONS_KNOWN: Final = "An agreed version and the relations known"
IN_D0: Final = "A bus in D0"
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
)
