# SPDX-License-Identifier: MIT
"""What a guest must say of packets: which ones Linux's driver refuses, and which it never sees.

Said from the protocol's sizes, as ``hv_pci_onchannelcallback`` of Linux 6.12 compares them, and not
by asking the model. Knows packets and no state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from guest.events import PacketDropped, RequestCompleted
from protocol.ring import DESCRIPTOR_BYTES, MAX_PACKET_BYTES
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciDevIncoming,
    PciDevInvalBlock,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciResponse,
)
from sim.fuzzing.packets import RawPacket

WORD: Final = 4
SKIPPED_BYTES: Final = DESCRIPTOR_BYTES + PciResponse.SIZE  # no larger: passed over without a word
FIXED_BYTES: Final[Mapping[int, int]] = {
    MessageType.PCI_BUS_RELATIONS: PciBusRelations.SIZE,
    MessageType.PCI_BUS_RELATIONS2: PciBusRelations2.SIZE,
    MessageType.PCI_EJECT: PciDevIncoming.SIZE,
    MessageType.PCI_INVALIDATE_BLOCK: PciDevInvalBlock.SIZE,
}
ENTRY_BYTES: Final[Mapping[int, int]] = {
    MessageType.PCI_BUS_RELATIONS: PciFunctionDescription.SIZE,
    MessageType.PCI_BUS_RELATIONS2: PciFunctionDescription2.SIZE,
}


def loses_step(packet: RawPacket) -> bool:
    """Whether a Linux reader goes on somewhere else than behind the packet."""
    return packet.lies or packet.size > MAX_PACKET_BYTES


def refusal(packet: RawPacket) -> str | None:
    """Why the driver must say that it drops the packet; None where it takes or skips it.

    An answer is refused if nobody waits for it; that is its id's matter, and not judged here.
    """
    if packet.size <= SKIPPED_BYTES or packet.packet_type == VM_PKT_COMP:
        return None
    if packet.packet_type != VM_PKT_DATA_INBAND:
        return "neither data nor an answer"
    padded = packet.payload + bytes(-len(packet.payload) % 8)
    code = int.from_bytes(padded[:WORD], "little")
    fixed = FIXED_BYTES.get(code)
    if fixed is None:
        return "a message that it does not know"
    count = int.from_bytes(padded[WORD : 2 * WORD], "little") if code in ENTRY_BYTES else 0
    if len(padded) < fixed + count * ENTRY_BYTES.get(code, 0):
        return "a message that is cut short"
    return None


def unsaid(read: Sequence[RawPacket], events: Iterable[object], *, logged: bool) -> list[str]:
    """What a guest that has read these packets has not said: of each that it refuses, that.

    ``events`` are those since the first was written, ``logged`` whether its log has grown.
    """
    refused = [why for why in map(refusal, read) if why is not None]
    kinds = Counter(map(type, events))
    dropped = kinds[PacketDropped]
    if dropped < len(refused) or (refused and not logged):
        return [f"nobody was told that it was refused: {', '.join(refused)}"]
    if dropped + kinds[RequestCompleted] < len(refused) + sum(map(answered, read)):
        return ["an answer was neither taken nor refused"]
    return []


def answered(packet: RawPacket) -> bool:
    """Whether it is an answer that the driver looks at: taken, or refused aloud."""
    return packet.packet_type == VM_PKT_COMP and packet.size > SKIPPED_BYTES
