# SPDX-License-Identifier: MIT
"""What comes back from a host under test, taken apart. Knows no host and asks nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from protocol.errors import WireFormatError
from protocol.ring import Packet
from protocol.status import (
    STATUS_BAD_DATA,
    STATUS_NOT_SUPPORTED,
    STATUS_REVISION_MISMATCH,
    unsigned,
)
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciResponse,
    message_name,
    message_type,
)
from sim.conformance.case import Nonconforming
from sim.conformance.watched import Received

BAD_DATA: Final = unsigned(STATUS_BAD_DATA)
NOT_SUPPORTED: Final = unsigned(STATUS_NOT_SUPPORTED)
REVISION_MISMATCH: Final = unsigned(STATUS_REVISION_MISMATCH)
COMPLETION: Final = "completion"  # as :func:`names_of` calls one
M = MessageType

Description = PciFunctionDescription | PciFunctionDescription2
List = type[PciBusRelations] | type[PciBusRelations2]
LISTS: Final[Mapping[int, List]] = {
    M.PCI_BUS_RELATIONS: PciBusRelations,
    M.PCI_BUS_RELATIONS2: PciBusRelations2,
}


class Answer(NamedTuple):
    """What came back for one request.

    ``completion`` is the payload with its ring padding, None where none came. ``packets`` are all
    that came, in order, the completion among them. ``asked`` is the place of the request in the
    trace.
    """

    completion: bytes | None
    packets: tuple[Received, ...]
    asked: int | None

    @property
    def body(self) -> bytes:
        """The completion's payload. Raises Nonconforming without one."""
        if self.completion is None:
            raise Nonconforming("no completion came", self.asked)
        return self.completion

    @property
    def status(self) -> int:
        """The NTSTATUS of the completion, unsigned. Raises Nonconforming without one."""
        if len(self.body) < 4:
            raise Nonconforming(f"the completion has {len(self.body)} bytes, no status")
        return unsigned(PciResponse.parse(self.body).status)


def completions_of(packets: Iterable[Received], transaction_id: int) -> list[Received]:
    """The completions with that id."""
    return [
        packet
        for packet in packets
        if packet.packet_type == VM_PKT_COMP and packet.transaction_id == transaction_id
    ]


def relations_of(packets: Iterable[Received]) -> list[Received]:
    """The relations lists among the unsolicited packets."""
    return [
        packet
        for packet in packets
        if packet.packet_type == VM_PKT_DATA_INBAND and message_type(packet.payload) in LISTS
    ]


def functions_in(payload: bytes) -> tuple[Description, ...]:
    """What a list holds, in whichever form. Raises Nonconforming for one that is cut short."""
    record = LISTS[message_type(payload)]
    try:
        return record.parse(payload).func
    except WireFormatError as cut:
        raise Nonconforming(f"the list is cut short: {cut}") from None


def told(answer: Answer) -> str:
    """In a few words what came for a request: the status, or what else."""
    if answer.completion is None:
        return "nothing"
    if len(answer.completion) < 4:
        return "an empty completion"
    return f"status {answer.status:#010x}"


def names_of(packets: Iterable[Packet]) -> tuple[str, ...]:
    """The packets as words: a message's name, or COMPLETION."""
    return tuple(
        COMPLETION if p.packet_type == VM_PKT_COMP else message_name(p.payload) for p in packets
    )
