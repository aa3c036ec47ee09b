# SPDX-License-Identifier: MIT
"""Lists of resources as OpenVMM's host takes and gives them. Knows no case."""

from __future__ import annotations

from typing import Final

from protocol.openvmm import (
    OvDeviceTranslate,
    OvDeviceTranslateReply,
    OvGetResources,
    OvPartialResourceDescriptor,
    OvPartialResourceList,
    ResourceType,
)
from protocol.status import STATUS_SUCCESS
from protocol.vpci import MessageType
from sim.conformance.answers import Answer
from sim.conformance.expecting import expect
from sim.conformance.host_bench import HostBench
from sim.conformance.host_device import FoundBar

M = MessageType
NOTHING: Final = OvPartialResourceDescriptor()


def assign_list(
    host: HostBench,
    *resources: OvPartialResourceDescriptor,
    records: bytes = b"",
    count: int = 0,
    kind: M = M.PCI_RESOURCES_ASSIGNED2,
) -> Answer:
    """Assign these resources, in the order of BARs, with ``count`` interrupt records."""
    padded = (*resources, *[NOTHING] * (6 - len(resources)))
    message = OvDeviceTranslate(kind, 0, padded, count)
    return host.ask(message.build() + records)


def translated(answer: Answer) -> OvDeviceTranslateReply:
    """The reply to that. Raises Nonconforming where it is no success."""
    expect("the status", answer.status, STATUS_SUCCESS)
    return OvDeviceTranslateReply.parse(answer.body)


def memory_for(
    bar: FoundBar, *, beyond: int = 0, length: int = 0x1000
) -> tuple[OvPartialResourceDescriptor, ...]:
    """So many bytes for a BAR, ``beyond`` bytes behind where it is put."""
    at = bar.base + beyond
    resource = OvPartialResourceDescriptor(ResourceType.MEMORY, address=at, adjusted_len=length)
    return (*[NOTHING] * bar.number, resource)


def listed_resources(host: HostBench) -> tuple[OvPartialResourceDescriptor, ...]:
    """What the function has, in the order of BARs. Raises Nonconforming for another form."""
    body = host.ask(OvGetResources(M.PCI_QUERY_RESOURCE_RESOURCES)).body
    listed = OvPartialResourceList.parse(body)
    expect("version, revision, count", (listed.version, listed.revision, listed.count), (1, 1, 6))
    return listed.descriptors
