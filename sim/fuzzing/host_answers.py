# SPDX-License-Identifier: MIT
"""How a host must answer a packet, whatever is in it; above all that it refuses nothing in silence.

``certainly_wrong`` is this file's own reader: it finds what no host of the kind may accept, from
the sizes and numbers that the protocol declares, and never asks the host's tables. Knows one packet
and what came of it, and no ring.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec.structs import replace

from host.events import (
    BlockRead,
    BlockWritten,
    InterruptRefused,
    PacketRefused,
    VersionRefused,
    WorkerStopped,
)
from host.profiles import TO_THE_GUEST
from host.vsp import Phase, VspState
from host.vsp.inputs import PacketReceived
from protocol.codec import WireRecord
from protocol.openvmm import OvDevicePowerChange, OvDeviceTranslate
from protocol.ring import Packet
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
)
from protocol.vpci import RECORDS, MessageType
from sim.fuzzing.packets import RawPacket

M = MessageType
PLAIN_DESCRIPTOR: Final = frozenset({VM_PKT_DATA_INBAND, VM_PKT_COMP})
KNOWN_FLAGS: Final = 1  # an answer is wanted
REFUSALS: Final = (PacketRefused, VersionRefused, WorkerStopped)
FAILURES: Final = (*REFUSALS, InterruptRefused)
SLOT_AT: Final[Mapping[int, int]] = {  # bytes into the message
    **dict.fromkeys(
        (
            M.PCI_QUERY_RESOURCE_REQUIREMENTS,
            M.PCI_RESOURCES_ASSIGNED,
            M.PCI_RESOURCES_ASSIGNED2,
            M.PCI_RESOURCES_RELEASED,
            M.PCI_CREATE_INTERRUPT_MESSAGE,
            M.PCI_CREATE_INTERRUPT_MESSAGE2,
            M.PCI_CREATE_INTERRUPT_MESSAGE3,
            M.PCI_DELETE_INTERRUPT_MESSAGE,
            M.PCI_DELETE_INTERRUPT_MESSAGE2,
            M.PCI_POWER_STATE_CHANGE,
            M.PCI_EJECTION_COMPLETE,
        ),
        4,
    ),
    **dict.fromkeys((M.PCI_READ_BLOCK, M.PCI_WRITE_BLOCK), 8),
}
WORD: Final = 4
ERROR_BIT: Final = 1 << 31  # of an NTSTATUS
# Where a host reads another structure than Linux's: OpenVMM's own, which are shorter.
OTHERWISE: Final[Mapping[str, Mapping[int, type[WireRecord]]]] = {
    "hyperv": {},
    "openvmm": {
        M.PCI_POWER_STATE_CHANGE: OvDevicePowerChange,
        M.PCI_RESOURCES_ASSIGNED: OvDeviceTranslate,
        M.PCI_RESOURCES_ASSIGNED2: OvDeviceTranslate,
    },
}


class Told(NamedTuple):
    """What came of one packet that was read, or of many."""

    profile: str
    before: VspState
    after: VspState
    events: Collection[object]
    answers: Collection[Packet]

    def happened(self, kinds: tuple[type, ...]) -> list[Any]:
        """The events of these kinds."""
        return [event for event in self.events if isinstance(event, kinds)]

    @property
    def completions(self) -> list[Packet]:
        """The answers to requests."""
        return [answer for answer in self.answers if answer.packet_type == VM_PKT_COMP]


def followable(packet: RawPacket) -> bool:
    """Whether a strict reader can go on behind a packet.

    The other types that it knows have longer descriptors, which nobody writes here.
    """
    return (
        not packet.lies
        and packet.packet_type in PLAIN_DESCRIPTOR
        and not packet.flags & ~KNOWN_FLAGS
    )


def certainly_wrong(profile: str, state: VspState, packet: PacketReceived) -> str | None:
    """Why no host of this kind may accept the packet; None where one may."""
    if packet.packet_type == VM_PKT_COMP:
        return "an answer to a host that has asked nothing"
    if packet.packet_type != VM_PKT_DATA_INBAND and profile == "hyperv":
        return "no in-band data"
    payload = packet.payload
    if len(payload) < WORD:
        return "too short for a type"
    code = int.from_bytes(payload[:WORD], "little")
    if code not in MessageType.__members__.values():
        return "a type that nobody knows"
    if code in TO_THE_GUEST:
        return "a message that only a host sends"
    if state.phase is Phase.FRESH and code != M.PCI_QUERY_PROTOCOL_VERSION:
        return "before a version is agreed"
    record = OTHERWISE[profile].get(code) or RECORDS.get(code)
    if record is not None and len(payload) < record.SIZE:
        return "too short for its message"
    at = SLOT_AT.get(code)
    slots = {function.facts.wslot for function in state.functions}
    if at is not None and int.from_bytes(payload[at : at + WORD], "little") not in slots:
        return "a slot without a function"
    return None


def unanswered(told: Told, packets: Iterable[PacketReceived]) -> list[str]:
    """Which of many packets the host has refused in silence, though it went on to the last.

    Only what is wrong in any state that may come in between: none has more functions.
    """
    agreed = replace(told.before, phase=Phase.READY)
    wrong = [packet for packet in packets if certainly_wrong(told.profile, agreed, packet)]
    refused = len(told.happened(REFUSALS))
    if refused < len(wrong):
        return [f"{len(wrong)} of the packets were wrong, and {refused} were refused aloud"]
    wanted = sum(packet.wants_completion for packet in wrong)
    statuses = (int.from_bytes(answer.payload[:WORD], "little") for answer in told.completions)
    errors = sum(bool(status & ERROR_BIT) for status in statuses)
    if errors < wanted:
        return [f"{wanted} of the packets that were wrong wanted an answer: {errors} errors came"]
    return []


def packet_complaints(told: Told, packet: PacketReceived) -> Iterator[str]:
    """What the host has done wrong with one packet."""
    wrong = certainly_wrong(told.profile, told.before, packet)
    refused = told.happened(REFUSALS)
    if wrong is not None and not refused:
        yield f"nobody was told that it was refused: {wrong}"
    if refused:
        yield from _refusal_complaints(told)
    yield from _answer_complaints(told, packet)


def _refusal_complaints(told: Told) -> Iterator[str]:
    """A refusal changes nothing, but that a worker may stop."""
    stopped = told.after.phase is Phase.STOPPED
    if stopped != bool(told.happened((WorkerStopped,))):
        yield "it stopped without a word, or said so and went on"
    if not stopped and told.after != told.before:
        yield "a refused packet has changed the state"


def _answer_complaints(told: Told, packet: PacketReceived) -> Iterator[str]:
    """As many answers as were asked for, and errors where there was a refusal."""
    completions = told.completions
    wanted = int(packet.wants_completion and told.after.phase is not Phase.STOPPED)
    if len(completions) != wanted:
        yield f"{len(completions)} completions where {wanted} was asked for"
        return
    failed = bool(told.happened(FAILURES)) or any(
        event.status for event in told.happened((BlockRead, BlockWritten))
    )
    for answer in completions:
        if answer.transaction_id != packet.transaction_id:
            yield f"the answer is for {answer.transaction_id:#x}"
        status = int.from_bytes(answer.payload[:WORD], "little")
        if bool(status & ERROR_BIT) != failed:
            yield f"status {status:#x}, and observers were told {'of' if failed else 'no'} failure"
