# SPDX-License-Identifier: MIT
"""What a function needs, and giving it resources and taking them back, as a host does it."""

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
from protocol.vpci import MessageType, PciChildMessage, PciQResReqResponse
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.host_bench import (
    BAD_DATA,
    NOT_SUPPORTED,
    Answer,
    HostBench,
    expect,
    expect_refused,
    reaching,
    told,
)
from sim.conformance.host_device import (
    VECTOR,
    VP,
    FoundBar,
    address_in,
    command,
    first_bar,
    heard,
    probed,
    program,
    raised,
    retarget,
    set_command,
    wired,
)

M = MessageType
EMPTY_SLOT: Final = 5
LARGE_40, LARGE_48 = 1 << 9, 1 << 10  # the length is shifted by 8 bits, by 16
NOTHING: Final = OvPartialResourceDescriptor()


def _requirements(host: HostBench) -> tuple[int, ...]:
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    expect("the status", answer.status, STATUS_SUCCESS)
    size = PciQResReqResponse.SIZE
    if len(answer.body) < size:
        raise Nonconforming(f"the reply has {len(answer.body)} bytes, not {size}")
    return PciQResReqResponse.parse(answer.body).probed_bar


def required(host: HostBench) -> None:
    host.ready()
    host.functions()
    _requirements(host)


def required_in_d0(host: HostBench) -> None:
    host.powered()
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    expect("the status", answer.status, STATUS_SUCCESS)


def _told_bars(host: HostBench) -> tuple[int, ...]:
    with reaching("resource requirements"):
        return _requirements(host)


def required_as_probed(host: HostBench) -> None:
    host.assigned()
    expect("what the host tells of the BARs", _told_bars(host), probed(host))


def required_as_before(host: HostBench) -> None:
    host.assigned()
    before = _told_bars(host)
    bar = first_bar(host)
    program(host, bar, bar.base)
    expect("what the host tells of programmed BARs", _told_bars(host), before)


def assigned(host: HostBench) -> None:
    host.powered()
    expect("the status", host.assign().status, STATUS_SUCCESS)


def assigned_twice(host: HostBench) -> None:
    host.assigned()
    host.tell(PciChildMessage(M.PCI_RESOURCES_RELEASED, 0))
    expect("the status", host.assign().status, STATUS_SUCCESS)


def empty_slot_refused(host: HostBench) -> None:
    host.ready()
    host.functions()
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS, EMPTY_SLOT)
    expect_refused("a request for an empty slot", answer)


def slot_is_32_bits(host: HostBench) -> None:
    host.ready()
    for slot in (1, 1 << 8, 1 << 31):
        status = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS, slot).status
        expect(f"the status for slot {slot:#x}", status, BAD_DATA)


def assigned_early(host: HostBench) -> None:
    host.ready()
    host.functions()
    raise Nonconforming(f"assigning resources outside of D0 gets {told(host.assign())}")


def release_seen(host: HostBench) -> None:
    host.powered()
    answer = host.ask_child(M.PCI_RESOURCES_RELEASED)
    raise Nonconforming(f"releasing resources that nobody assigned gets {told(answer)}")


def room_for_record(host: HostBench) -> None:
    host.powered()
    expect_refused("a list without room for a record", host.ask(OvDeviceTranslate()))


# As OpenVMM has it


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
    host.powered()
    resource = OvPartialResourceDescriptor(
        ResourceType.MEMORY_LARGE, flags=flag, address=0x40_0000_0000, adjusted_len=length
    )
    return _assign_list(host, NOTHING, resource)


def large_decoded(host: HostBench) -> None:
    reply = _translated(_large(host, LARGE_48, (16 << 30) >> 16))
    echoed = reply.mmio_resources[1]
    expect("the flag", echoed.flags, LARGE_40)
    expect("the length", echoed.adjusted_len << 8, 16 << 30)


def large_without_flag(host: HostBench) -> None:
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
    expect("the interrupts that came", raised(host), [])
    if not retarget(host, message, VECTOR, VP):
        raise Nonconforming("the interrupt of a released function can be retargeted")


def reset_refused(host: HostBench) -> None:
    host.ready()
    expect("the status", host.ask_child(M.RESET_DEVICE).status, NOT_SUPPORTED)


LISTED: Final = "An agreed version and the relations known"
IN_D0: Final = "A bus in D0"
ASSIGNED: Final = "A bus in D0 with resources assigned"
NOBODY: Final = "none: no source tells what a Windows host does"
SET_BARS: Final = "OpenVMM device.rs, set_bars()"

CASES: Final = (
    HostCase(
        id="requirements-told",
        strength="must",
        given=LISTED,
        when="the guest asks for the resource requirements of a function",
        then="the reply is success and six words, 28 bytes in all",
        source="pci-hyperv.c q_resource_requirements(); OpenVMM device.rs",
        check=required,
    ),
    HostCase(
        id="requirements-told-in-d0",
        strength="must",
        given=IN_D0,
        when="the guest asks for the requirements, as it does for a function that came later",
        then="the host answers with success",
        source="pci-hyperv.c new_pcichild_device(); OpenVMM device.rs",
        check=required_in_d0,
    ),
    HostCase(
        id="requirements-are-as-probed",
        strength="must",
        given=ASSIGNED,
        when="the guest asks for the requirements and probes the base registers itself",
        then="it finds what it was told: from that Linux takes the size of its windows",
        source="pci-hyperv.c survey_child_resources(); OpenVMM device.rs, VpciChannel::new()",
        check=required_as_probed,
    ),
    HostCase(
        id="requirements-stay",
        strength="must",
        given="A function whose BAR is programmed",
        when="a guest asks for the requirements again",
        then="they are as before, no matter what the registers hold",
        source="pci-hyperv.c q_resource_requirements(); OpenVMM device.rs, VpciChannel::new()",
        check=required_as_before,
    ),
    HostCase(
        id="resources-assigned",
        strength="must",
        given=IN_D0,
        when="the guest assigns resources in the form of the version, all zeros",
        then="the host answers with success",
        source="pci-hyperv.c hv_send_resources_allocated(); OpenVMM device.rs",
        check=assigned,
    ),
    HostCase(
        id="resources-assigned-after-release",
        strength="must",
        given="A function whose resources were assigned and released",
        when="the guest assigns them again",
        then="the host answers with success",
        source="pci-hyperv.c hv_send_resources_released(), hv_pci_resume()",
        check=assigned_twice,
    ),
    HostCase(
        id="empty-slot-refused",
        strength="must",
        given=LISTED,
        when="the guest asks for the requirements of a slot that has no function",
        then="the host answers with a failure",
        source="OpenVMM device.rs, handle_packet(); pci-hyperv.c q_resource_requirements()",
        check=empty_slot_refused,
    ),
    HostCase(
        id="every-bit-of-a-slot-counts",
        strength="openvmm",
        given="An agreed version",
        when="the guest names slot 1, or a slot with a reserved bit set",
        then="the host answers with BAD_DATA",
        source="OpenVMM device.rs, handle_packet()",
        versions=FROM_1_2,
        check=slot_is_32_bits,
    ),
    HostCase(
        id="resources-assigned-early",
        strength="unknown",
        given=LISTED,
        when="the guest assigns resources without having entered D0",
        then="it is not established what the host answers",
        source=NOBODY,
        check=assigned_early,
    ),
    HostCase(
        id="resources-released-early",
        strength="unknown",
        given=IN_D0,
        when="the guest releases resources that were never assigned",
        then="it is not established what the host answers",
        source=NOBODY,
        check=release_seen,
    ),
    HostCase(
        id="list-without-room-refused",
        strength="hyperv",
        given=IN_D0,
        when="the guest assigns resources without room for one interrupt record",
        then="the host answers with a failure",
        source='OpenVMM client, which adds 80 bytes "to satisfy Hyper-V"',
        check=room_for_record,
    ),
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
        when="the guest assigns 16 GiB with a length shifted by 16",
        then="the reply repeats the length, shifted by as little as it can be",
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
)
