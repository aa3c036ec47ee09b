# SPDX-License-Identifier: MIT
"""What a bus does to another one of the same host."""

from __future__ import annotations

from typing import Final

from protocol.status import STATUS_SUCCESS
from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import ONES, HostBench


def window_taken(host: HostBench) -> None:
    first = host.channel
    host.powered()
    with reaching("configuration space"):
        expect("whether it answers", host.read_config(0) != ONES, True)
    host.take_second_offer()
    host.listed()
    expect("the status of D0 entry", host.enter_d0().status, STATUS_SUCCESS)
    host.channel = first
    expect("whether the first still answers", host.read_config(0) != ONES, True)
    host.left()
    expect("what the window gives", host.read_config(0), ONES)


CASES: Final = (
    HostCase(
        id="window-of-another-bus",
        strength="openvmm",
        given="A bus in D0, and another of the same host",
        when="the other enters D0 with the window of the first, and the first leaves D0",
        then="the host answers with success; the first answers in the window, and then nobody",
        source="OpenVMM bus.rs, issue 1721: the second mapping fails with a warning only",
        versions=FROM_1_2,
        bus="neighbours",
        check=window_taken,
    ),
)
