# SPDX-License-Identifier: MIT
"""What comes back from a host under test, taken apart. Knows no host and asks nothing."""

from __future__ import annotations

from collections.abc import Mapping
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

BAD_DATA: Final = unsigned(STATUS_BAD_DATA)
NOT_SUPPORTED: Final = unsigned(STATUS_NOT_SUPPORTED)
REVISION_MISMATCH: Final = unsigned(STATUS_REVISION_MISMATCH)
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
    that came, in order, the completion among them.
    """

    completion: bytes | None
    packets: tuple[Packet, ...]

    @property
    def body(self) -> bytes:
        """The completion's payload. Raises Nonconforming without one."""
        if self.completion is None:
            raise Nonconforming("no completion came")
        return self.completion

    @property
    def status(self) -> int:
        """The NTSTATUS of the completion, unsigned. Raises Nonconforming without one."""
        if len(self.body) < 4:
            raise Nonconforming(f"the completion has {len(self.body)} bytes, no status")
        return unsigned(PciResponse.parse(self.body).status)

    @property
    def news(self) -> tuple[bytes, ...]:
        """The payloads of the unsolicited packets."""
        return tuple(p.payload for p in self.packets if p.packet_type == VM_PKT_DATA_INBAND)


def completions_of(packets: tuple[Packet, ...], transaction_id: int) -> list[bytes]:
    """The payloads of the completions with that id."""
    return [
        packet.payload
        for packet in packets
        if packet.packet_type == VM_PKT_COMP and packet.transaction_id == transaction_id
    ]


def relations_of(answer: Answer) -> tuple[bytes, ...]:
    """The relations lists among the unsolicited packets."""
    return tuple(news for news in answer.news if message_type(news) in LISTS)


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


def names_of(packets: tuple[Packet, ...]) -> tuple[str, ...]:
    """The packets as words: a message's name, or ``completion``."""
    return tuple(
        "completion" if p.packet_type == VM_PKT_COMP else message_name(p.payload) for p in packets
    )
