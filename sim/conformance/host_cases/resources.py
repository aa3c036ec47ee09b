# SPDX-License-Identifier: MIT
"""What a function needs, and giving it resources and taking them back, as a host does it."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import OvDeviceTranslate
from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType, PciChildMessage, PciQResReqResponse
from sim.conformance.answers import BAD_DATA, told
from sim.conformance.case import FROM_1_2, UNSOURCED, HostCase, Nonconforming
from sim.conformance.expecting import expect, expect_refused, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import first_bar, probed, program

M = MessageType
EMPTY_SLOT: Final = 5


def _requirements(host: HostBench) -> tuple[int, ...]:
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS)
    expect("the status", answer.status, STATUS_SUCCESS)
    size = PciQResReqResponse.SIZE
    if len(answer.body) < size:
        raise Nonconforming(f"the reply has {len(answer.body)} bytes, not {size}")
    return PciQResReqResponse.parse(answer.body).probed_bar


def required(host: HostBench) -> None:
    host.listed()
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
    told_of, at = _told_bars(host), host.host.place
    expect("what the host tells of the BARs", told_of, probed(host), at)


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
    host.listed()
    answer = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS, EMPTY_SLOT)
    expect_refused("a request for an empty slot", answer)


def slot_is_32_bits(host: HostBench) -> None:
    host.ready()
    for slot in (1, 1 << 8, 1 << 31):
        status = host.ask_child(M.PCI_QUERY_RESOURCE_REQUIREMENTS, slot).status
        expect(f"the status for slot {slot:#x}", status, BAD_DATA)


def assigned_early(host: HostBench) -> None:
    host.listed()
    raise Nonconforming(f"assigning resources outside of D0 gets {told(host.assign())}")


def release_seen(host: HostBench) -> None:
    host.powered()
    answer = host.ask_child(M.PCI_RESOURCES_RELEASED)
    raise Nonconforming(f"releasing resources that nobody assigned gets {told(answer)}")


def room_for_record(host: HostBench) -> None:
    host.powered()
    expect_refused("a list without room for a record", host.ask(OvDeviceTranslate()))


LISTED: Final = "An agreed version and the relations known"
IN_D0: Final = "A bus in D0"
ASSIGNED: Final = "A bus in D0 with resources assigned"

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
        source=UNSOURCED,
        check=assigned_early,
    ),
    HostCase(
        id="resources-released-early",
        strength="unknown",
        given=IN_D0,
        when="the guest releases resources that were never assigned",
        then="it is not established what the host answers",
        source=UNSOURCED,
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
)
