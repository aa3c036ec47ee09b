# SPDX-License-Identifier: MIT
"""OpenVMM's interrupt records: three request forms, two reply forms, and one meaning.

A request for ``CREATE_INTERRUPT2`` needs 80 bytes here and 84 for 3; Linux's packed 78 and 82
pass thanks to the ring's padding.
"""

from collections.abc import Callable
from typing import Any, Final

from host.effects import InterruptEntry, InterruptRequest
from host.vsp.inputs import PacketReceived
from host.vsp.interrupts import Listed, create, create_listed, listed_request, masked_targets
from host.vsp.rules import Outcome, Rules
from host.vsp.state import VspState
from protocol.openvmm import (
    OvCreateInterrupt,
    OvCreateInterrupt2,
    OvCreateInterrupt3,
    OvDeviceTranslate,
    OvMsiResource,
    OvMsiResource2,
    OvMsiResource3,
    OvMsiResourceDescriptor,
    OvMsiResourceDescriptor2,
    OvMsiResourceDescriptor3,
    OvMsiResourceRemapped,
)
from protocol.vpci import MessageType


def create_interrupt(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Processors as a 64-bit mask; more than 32 of them are refused."""
    message = OvCreateInterrupt.parse(packet.payload)
    return create(rules, state, packet, message.slot, _masked(rules, message.interrupt))


def create_interrupt2(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """Processors as a list."""
    message = OvCreateInterrupt2.parse(packet.payload)
    return create_listed(rules, state, packet, message.slot, message.interrupt)


def create_interrupt3(rules: Rules, state: VspState, packet: PacketReceived) -> Outcome:
    """The same with a 32-bit vector."""
    message = OvCreateInterrupt3.parse(packet.payload)
    return create_listed(rules, state, packet, message.slot, message.interrupt)


def _masked(rules: Rules, descriptor: OvMsiResourceDescriptor) -> InterruptRequest:
    targets = masked_targets(rules, descriptor.processor_mask)
    return InterruptRequest(
        descriptor.vector, descriptor.vector_count, descriptor.delivery_mode, targets
    )


def _listed(_rules: Rules, descriptor: Listed) -> InterruptRequest:
    return listed_request(descriptor)


# The records behind a resource list

_Decode = Callable[[Rules, Any], InterruptRequest]

# How a request's records look: (descriptor, bytes from one record to the next, decoder).
_REQUEST_FORMS: Final[dict[int, tuple[Any, int, _Decode]]] = {
    MessageType.PCI_RESOURCES_ASSIGNED: (OvMsiResourceDescriptor, OvMsiResource.SIZE, _masked),
    MessageType.PCI_RESOURCES_ASSIGNED2: (OvMsiResourceDescriptor2, OvMsiResource2.SIZE, _listed),
    MessageType.PCI_RESOURCES_ASSIGNED3: (OvMsiResourceDescriptor3, OvMsiResource3.SIZE, _listed),
}
# How large a reply's records are: form 3 is answered in form 2.
_REPLY_BYTES: Final[dict[int, int]] = {
    MessageType.PCI_RESOURCES_ASSIGNED: OvMsiResource.SIZE,
    MessageType.PCI_RESOURCES_ASSIGNED2: OvMsiResource2.SIZE,
    MessageType.PCI_RESOURCES_ASSIGNED3: OvMsiResource2.SIZE,
}


def records_of(
    rules: Rules, message_type: int, payload: bytes, count: int
) -> tuple[InterruptRequest, ...]:
    """The ``count`` interrupt records behind a resource list.

    Raises WireFormatError if they are not all there, RecordFault for a lying processor count.
    """
    descriptor, stride, decode = _REQUEST_FORMS[message_type]
    requests = []
    for index in range(count):
        start = OvDeviceTranslate.SIZE + index * stride
        requests.append(decode(rules, descriptor.parse(payload[start : start + stride])))
    return tuple(requests)


def remapped_records(message_type: int, entries: tuple[InterruptEntry, ...]) -> bytes:
    """The records of a reply: a message each, padded to the form's size."""
    size = _REPLY_BYTES[message_type]
    records = (
        OvMsiResourceRemapped(0, entry.vector_count, entry.data, entry.address).build()
        for entry in entries
    )
    return b"".join(record.ljust(size, b"\0") for record in records)
