# SPDX-License-Identifier: MIT
"""Lists of resources and interrupt records, which OpenVMM's host reads and Linux leaves empty."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import (
    OvDeviceTranslate,
    OvDeviceTranslateReply,
    OvGetResources,
    OvMsiResource2,
    OvMsiResource3,
    OvMsiResourceDescriptor3,
    OvPartialResourceDescriptor,
    OvPartialResourceList,
    ResourceType,
)
from protocol.pci_regs import PCI_COMMAND_MEMORY
from protocol.status import STATUS_SUCCESS
from protocol.versions import VPCI_1_5
from protocol.vpci import MessageType, PciChildMessage
from sim.conformance.answers import BAD_DATA, NOT_SUPPORTED, Answer
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import (
    FoundBar,
    address_in,
    command,
    first_bar,
    program,
    set_command,
)
from sim.conformance.host_interrupts import (
    VECTOR,
    VP,
    created,
    delete_message,
    heard,
    raised,
    retarget,
    wired,
)

M = MessageType
LARGE_40: Final = 1 << 9
SHIFT_OF_FLAG: Final = {LARGE_40: 8, 1 << 10: 16, 1 << 11: 32}
NOTHING: Final = OvPartialResourceDescriptor()


def _assign_list(
    host: HostBench,
    *resources: OvPartialResourceDescriptor,
    records: bytes = b"",
    count: int = 0,
    kind: M = M.PCI_RESOURCES_ASSIGNED2,
) -> Answer:
    padded = (*resources, *[NOTHING] * (6 - len(resources)))
    message = OvDeviceTranslate(kind, 0, padded, count)
    return host.ask(message.build() + records)


def _translated(answer: Answer) -> OvDeviceTranslateReply:
    expect("the status", answer.status, STATUS_SUCCESS)
    return OvDeviceTranslateReply.parse(answer.body)


def _memory(
    bar: FoundBar, *, beyond: int = 0, length: int = 0x1000
) -> tuple[OvPartialResourceDescriptor, ...]:
    """So many bytes for a BAR, ``beyond`` bytes behind where it is put."""
    at = bar.base + beyond
    resource = OvPartialResourceDescriptor(ResourceType.MEMORY, address=at, adjusted_len=length)
    return (*[NOTHING] * bar.number, resource)


def no_room_accepted(host: HostBench) -> None:
    host.powered()
    expect("the status", host.ask(OvDeviceTranslate()).status, STATUS_SUCCESS)


def zeros_assigned(host: HostBench) -> None:
    host.assigned()
    bar = first_bar(host)
    program(host, bar, bar.base)
    reply = _translated(host.assign())
    expect("the count of records", reply.msi_resource_count, 0)
    expect("the BAR", address_in(host, bar), 0)


def _listed(host: HostBench) -> tuple[OvPartialResourceDescriptor, ...]:
    body = host.ask(OvGetResources(M.PCI_QUERY_RESOURCE_RESOURCES)).body
    listed = OvPartialResourceList.parse(body)
    expect("version, revision, count", (listed.version, listed.revision, listed.count), (1, 1, 6))
    return listed.descriptors


def null_resources(host: HostBench) -> None:
    host.powered()
    expect("the resources", _listed(host), (NOTHING,) * 6)


def current_resources(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    _translated(_assign_list(host, *_memory(bar)))
    found = _listed(host)[bar.number]
    expect("the address", found.address, bar.base)
    expect("the length", found.adjusted_len, bar.size_bytes)


def bar_written(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    _translated(_assign_list(host, *_memory(bar)))
    expect("the BAR", address_in(host, bar), bar.base)


def _unfit(host: HostBench, beyond: int, length: int) -> None:
    host.powered()
    bar = first_bar(host)
    program(host, bar, bar.base)
    fault = _memory(bar, beyond=beyond, length=length)
    expect("the status", _assign_list(host, *fault).status, BAD_DATA)
    expect("the BAR", address_in(host, bar), bar.base)


def misaligned(host: HostBench) -> None:
    _unfit(host, 0x10, 0x1000)


def too_long(host: HostBench) -> None:
    _unfit(host, 0, 1 << 31)


def high_half(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    both = (*_memory(bar), _memory(bar)[-1])
    expect("the status", _assign_list(host, *both).status, BAD_DATA)


def _large(host: HostBench, flag: int, length: int) -> Answer:
    """The second BAR of the function, 64 bits wide, with a large length."""
    resource = OvPartialResourceDescriptor(
        ResourceType.MEMORY_LARGE, flags=flag, address=0x40_0000_0000, adjusted_len=length
    )
    return _assign_list(host, NOTHING, resource)


def large_decoded(host: HostBench) -> None:
    host.powered()
    for flag, shift in SHIFT_OF_FLAG.items():
        echoed = _translated(_large(host, flag, (16 << 30) >> shift)).mmio_resources[1]
        expect(f"the flag for a shift by {shift}", echoed.flags, LARGE_40)
        expect(f"the length for a shift by {shift}", echoed.adjusted_len << 8, 16 << 30)


def large_without_flag(host: HostBench) -> None:
    host.powered()
    expect("the status", _large(host, 0, 1 << 20).status, BAD_DATA)


def _record(vector: int = VECTOR, vp: int = VP) -> bytes:
    """An interrupt record of form 3."""
    record = OvMsiResourceDescriptor3(vector, 0, 0, 1, 1, (vp, *[0] * 31)).build()
    return record.ljust(OvMsiResource3.SIZE, b"\0")


def form_2_answered(host: HostBench) -> None:
    host.powered()
    records = _record() + _record(VECTOR + 1)
    answer = _assign_list(host, records=records, count=2, kind=M.PCI_RESOURCES_ASSIGNED3)
    expect("the count of records", _translated(answer).msi_resource_count, 2)
    size = OvDeviceTranslateReply.SIZE + 2 * OvMsiResource2.SIZE
    expect("bytes of the reply", len(answer.body), size + -size % 8)


def third_record_fails(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    records = _record() + _record(VECTOR + 1) + _record(vp=0xFFF)
    kind = M.PCI_RESOURCES_ASSIGNED3
    answer = _assign_list(host, *_memory(bar), records=records, count=3, kind=kind)
    expect("the status", answer.status, BAD_DATA)
    expect("the BAR", address_in(host, bar), bar.base)


def first_records_stay(host: HostBench) -> None:
    host.powered()
    lowest = created(host)
    host.tell(delete_message(lowest))
    records = _record() + _record(VECTOR + 1) + _record(vp=0xFFF)
    with reaching("a list that fails"):
        answer = _assign_list(host, records=records, count=3, kind=M.PCI_RESOURCES_ASSIGNED3)
        expect("the status", answer.status, BAD_DATA)
    if created(host, vector=VECTOR + 2).address == lowest.address:
        raise Nonconforming("the entry of the first record was given again")


def many_records(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    answer = _assign_list(host, *_memory(bar), count=495)
    expect("the status", answer.status, BAD_DATA)
    expect("the BAR", address_in(host, bar), 0)


def released(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    _translated(_assign_list(host, *_memory(bar)))
    set_command(host, PCI_COMMAND_MEMORY)
    expect("the status", host.ask_child(M.PCI_RESOURCES_RELEASED).status, STATUS_SUCCESS)
    expect("memory decoding", command(host) & PCI_COMMAND_MEMORY, 0)
    expect("the BAR", address_in(host, bar), 0)
    expect("the resources", _listed(host), (NOTHING,) * 6)


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
    HostCase(
        id="records-answered-in-form-2",
        strength="openvmm",
        given=IN_D0,
        when="the guest assigns resources with interrupt records of form 3",
        then="the reply has records of form 2, 72 bytes each",
        source="OpenVMM device.rs, parse_packet()",
        versions=FROM_1_2,
        check=form_2_answered,
    ),
    HostCase(
        id="third-record-fails",
        strength="openvmm",
        given=IN_D0,
        when="the third of three interrupt records names no processor that there is",
        then="the host answers with BAD_DATA, and the BARs are written all the same",
        source="OpenVMM device.rs, DeviceTranslate",
        versions=FROM_1_2,
        check=third_record_fails,
    ),
    HostCase(
        id="first-records-stay",
        strength="openvmm",
        given="A list of three interrupt records of which the third failed",
        when="the guest asks for another interrupt",
        then="it does not get the entry of the first, which is still mapped",
        source="OpenVMM device.rs, DeviceTranslate: a list is not served all or nothing",
        versions=FROM_1_2,
        check=first_records_stay,
    ),
    HostCase(
        id="495-records-refused",
        strength="openvmm",
        given=IN_D0,
        when="the guest assigns resources with 495 interrupt records",
        then="the host answers with BAD_DATA before it does anything",
        source="OpenVMM device.rs, MAX_SUPPORTED_INTERRUPT_MESSAGES",
        versions=FROM_1_2,
        check=many_records,
    ),
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
