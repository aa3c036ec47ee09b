# SPDX-License-Identifier: MIT
"""Interrupt records in a list of resources, which OpenVMM's host reads and Linux leaves out."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import (
    OvDeviceTranslateReply,
    OvMsiResource2,
    OvMsiResource3,
    OvMsiResourceDescriptor3,
)
from protocol.vpci import MessageType
from sim.conformance.answers import BAD_DATA
from sim.conformance.case import FROM_1_2, HostCase, Nonconforming
from sim.conformance.expecting import expect, reaching
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import address_in, first_bar
from sim.conformance.host_interrupts import VECTOR, VP, created, delete_message
from sim.conformance.host_lists import assign_list, memory_for, translated

M = MessageType


def _record(vector: int = VECTOR, vp: int = VP) -> bytes:
    """An interrupt record of form 3."""
    record = OvMsiResourceDescriptor3(vector, 0, 0, 1, 1, (vp, *[0] * 31)).build()
    return record.ljust(OvMsiResource3.SIZE, b"\0")


def form_2_answered(host: HostBench) -> None:
    host.powered()
    records = _record() + _record(VECTOR + 1)
    answer = assign_list(host, records=records, count=2, kind=M.PCI_RESOURCES_ASSIGNED3)
    expect("the count of records", translated(answer).msi_resource_count, 2)
    size = OvDeviceTranslateReply.SIZE + 2 * OvMsiResource2.SIZE
    expect("bytes of the reply", len(answer.body), size + -size % 8)


def third_record_fails(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    records = _record() + _record(VECTOR + 1) + _record(vp=0xFFF)
    kind = M.PCI_RESOURCES_ASSIGNED3
    answer = assign_list(host, *memory_for(bar), records=records, count=3, kind=kind)
    expect("the status", answer.status, BAD_DATA)
    expect("the BAR", address_in(host, bar), bar.base)


def first_records_stay(host: HostBench) -> None:
    host.powered()
    lowest = created(host)
    host.tell(delete_message(lowest))
    records = _record() + _record(VECTOR + 1) + _record(vp=0xFFF)
    with reaching("a list that fails"):
        answer = assign_list(host, records=records, count=3, kind=M.PCI_RESOURCES_ASSIGNED3)
        expect("the status", answer.status, BAD_DATA)
    if created(host, vector=VECTOR + 2).address == lowest.address:
        raise Nonconforming("the entry of the first record was given again")


def many_records(host: HostBench) -> None:
    host.powered()
    bar = first_bar(host)
    answer = assign_list(host, *memory_for(bar), count=495)
    expect("the status", answer.status, BAD_DATA)
    expect("the BAR", address_in(host, bar), 0)


IN_D0: Final = "A bus in D0"

CASES: Final = (
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
)
