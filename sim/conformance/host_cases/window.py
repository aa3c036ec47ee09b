# SPDX-License-Identifier: MIT
"""Where the configuration window is, from D0 entry to its end."""

from __future__ import annotations

from typing import Final

from sim.conformance.answers import told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import ONES, OTHER_WINDOW, HostBench


def window_unaligned(host: HostBench) -> None:
    host.listed()
    answer = host.enter_d0(OTHER_WINDOW + 0x800)
    raise Nonconforming(f"a window that is not page-aligned gets {told(answer)}")


def window_moves(host: HostBench) -> None:
    host.powered()
    with reaching("a window"):
        _answers_at(host)
    host.left()
    host.entered(OTHER_WINDOW)
    if host.read_config(0, window=OTHER_WINDOW) == ONES:
        raise Nonconforming("the window does not answer where it was put")


def _answers_at(host: HostBench) -> None:
    if host.read_config(0) == ONES:
        raise Nonconforming("the window does not answer")


def window_gone_at_exit(host: HostBench) -> None:
    host.powered()
    host.left()
    expect("the first dword", host.read_config(0), ONES)


def window_gone_at_close(host: HostBench) -> None:
    host.powered()
    host.close()
    expect("the first dword", host.read_config(0), ONES)


RELATIONS_KNOWN: Final = "An agreed version and the relations known"
IN_D0: Final = "A bus in D0"

CASES: Final = (
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
)
