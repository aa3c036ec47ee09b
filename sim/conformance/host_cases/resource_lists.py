# SPDX-License-Identifier: MIT
"""Lists of memory for base registers, which OpenVMM's host reads and Linux leaves empty."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import OvDeviceTranslate, OvPartialResourceDescriptor, ResourceType
from protocol.status import STATUS_SUCCESS
from sim.conformance.answers import BAD_DATA, Answer
from sim.conformance.case import FROM_1_2, HostCase
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import address_in, first_bar, program
from sim.conformance.host_lists import (
    NOTHING,
    assign_list,
    listed_resources,
    memory_for,
    translated,
)

LARGE_40: Final = 1 << 9
SHIFT_OF_FLAG: Final = {LARGE_40: 8, 1 << 10: 16, 1 << 11: 32}


def no_room_accepted(host: HostBench) -> None:
    host.powered()
    expect("the status", host.ask(OvDeviceTranslate()).status, STATUS_SUCCESS)


def zeros_assigned(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base)
    reply = translated(host.assign())
    expect("the count of records", reply.msi_resource_count, 0)
    expect("the BAR", address_in(host, bar), 0)


def null_resources(host: HostBench) -> None:
    host.powered()
    expect("the resources", listed_resources(host), (NOTHING,) * 6)


def current_resources(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    translated(assign_list(host, *memory_for(bar)))
    found = listed_resources(host)[bar.number]
    expect("the address", found.address, bar.base)
    expect("the length", found.adjusted_len, bar.size_bytes)


def bar_written(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    translated(assign_list(host, *memory_for(bar)))
    expect("the BAR", address_in(host, bar), bar.base)


def _unfit(host: HostBench, beyond: int, length: int) -> None:
    host.powered()
    bar = first_bar(host)
    program(host, bar, bar.base)
    fault = memory_for(bar, beyond=beyond, length=length)
    expect("the status", assign_list(host, *fault).status, BAD_DATA)
    expect("the BAR", address_in(host, bar), bar.base)


def misaligned(host: HostBench) -> None:
    _unfit(host, 0x10, 0x1000)


def too_long(host: HostBench) -> None:
    _unfit(host, 0, 1 << 31)


def high_half(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    both = (*memory_for(bar), memory_for(bar)[-1])
    expect("the status", assign_list(host, *both).status, BAD_DATA)


def _large(host: HostBench, flag: int, length: int) -> Answer:
    """The second BAR of the function, 64 bits wide, with a large length."""
    resource = OvPartialResourceDescriptor(
        ResourceType.MEMORY_LARGE, flags=flag, address=0x40_0000_0000, adjusted_len=length
    )
    return assign_list(host, NOTHING, resource)


def large_decoded(host: HostBench) -> None:
    host.powered()
    for flag, shift in SHIFT_OF_FLAG.items():
        echoed = translated(_large(host, flag, (16 << 30) >> shift)).mmio_resources[1]
        expect(f"the flag for a shift by {shift}", echoed.flags, LARGE_40)
        expect(f"the length for a shift by {shift}", echoed.adjusted_len << 8, 16 << 30)


def large_without_flag(host: HostBench) -> None:
    host.powered()
    expect("the status", _large(host, 0, 1 << 20).status, BAD_DATA)


IN_D0: Final = "A bus in D0"
SET_BARS: Final = "OpenVMM device.rs, set_bars()"

CASES: Final = (
    HostCase(
        id="list-without-room-accepted",
        strength="openvmm",
        given=IN_D0,
        when="the guest assigns resources without room for one interrupt record",
        then="the host answers with success",
        source="OpenVMM device.rs, DeviceTranslate",
        versions=FROM_1_2,
        check=no_room_accepted,
    ),
    HostCase(
        id="zeros-clear-bars",
        strength="openvmm",
        given="A function whose BAR is programmed",
        when="the guest assigns resources that are all zeros, as Linux does",
        then="all BARs are 0, and the reply repeats a list of no records",
        source=SET_BARS,
        versions=FROM_1_2,
        check=zeros_assigned,
    ),
    HostCase(
        id="resources-null-at-first",
        strength="openvmm",
        given=IN_D0,
        when="the guest asks for the resources of a function that has none assigned",
        then="six empty descriptors come, without a status",
        source="OpenVMM device.rs, GetResources",
        versions=FROM_1_2,
        check=null_resources,
    ),
    HostCase(
        id="resources-as-assigned",
        strength="openvmm",
        given="A function with a BAR assigned",
        when="the guest asks for its resources",
        then="the BAR's address and its whole length come",
        source="OpenVMM device.rs, GetResources",
        versions=FROM_1_2,
        check=current_resources,
    ),
    HostCase(
        id="assigned-bar-written",
        strength="openvmm",
        given=IN_D0,
        when="the guest assigns an address to a BAR",
        then="the register holds it",
        source=SET_BARS,
        versions=FROM_1_2,
        check=bar_written,
    ),
    HostCase(
        id="misaligned-bar-refused",
        strength="openvmm",
        given="A function whose BAR is programmed",
        when="the guest assigns an address that the BAR cannot hold",
        then="the host answers with BAD_DATA, and the register is as before",
        source=SET_BARS,
        versions=FROM_1_2,
        check=misaligned,
    ),
    HostCase(
        id="long-bar-refused",
        strength="openvmm",
        given="A function whose BAR is programmed",
        when="the guest assigns more bytes than the BAR has",
        then="the host answers with BAD_DATA, and the register is as before",
        source=SET_BARS,
        versions=FROM_1_2,
        check=too_long,
    ),
    HostCase(
        id="high-half-refused",
        strength="openvmm",
        given=IN_D0,
        when="the guest assigns a resource to the upper half of a 64-bit BAR",
        then="the host answers with BAD_DATA",
        source=SET_BARS,
        versions=FROM_1_2,
        check=high_half,
    ),
    HostCase(
        id="large-length-decoded",
        strength="openvmm",
        given="A function with a BAR of 128 GiB",
        when="the guest assigns 16 GiB with a length shifted by 8, by 16 and by 32 bits",
        then="the replies repeat the length, shifted by as little as it can be",
        source="OpenVMM device.rs, PartialResourceDescriptor",
        versions=FROM_1_2,
        bus="large",
        check=large_decoded,
    ),
    HostCase(
        id="large-length-needs-flag",
        strength="openvmm",
        given="A function with a BAR of 128 GiB",
        when="the guest assigns a large resource without saying how its length is shifted",
        then="the host answers with BAD_DATA",
        source="OpenVMM device.rs, PartialResourceDescriptor",
        versions=FROM_1_2,
        bus="large",
        check=large_without_flag,
    ),
)
