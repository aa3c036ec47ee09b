# SPDX-License-Identifier: MIT
"""Packets as somebody who means harm writes them: any type, any flags, any lengths; and right ones.

A right packet of every message type in every form is made here from the declarations; those that a
driver and a host really exchange are ``sim/fuzzing/recorded.py``'s. Knows no ring and no state.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from protocol.codec import WireRecord
from protocol.ids import SlotNumber
from protocol.openvmm import (
    OvCreateInterrupt2,
    OvCreateInterrupt3,
    OvDeviceTranslate,
    OvGetResources,
    OvMsiResourceDescriptor2,
    OvMsiResourceDescriptor3,
    OvPdoMessage,
    OvVpciTdispCommandHeader,
)
from protocol.ring import DESCRIPTOR_BYTES
from protocol.versions import VPCI_DIALECTS, Dialect
from protocol.vmbus import VM_PKT_COMP, VM_PKT_DATA_INBAND
from protocol.vpci import (
    HvMsiDesc,
    HvMsiDesc2,
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciBusRelations,
    PciBusRelations2,
    PciChildMessage,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    PciCreateIntResponse,
    PciDeleteInterrupt,
    PciDevIncoming,
    PciDevInvalBlock,
    PciEjectResponse,
    PciFunctionDescription,
    PciFunctionDescription2,
    PciMessage,
    PciQResReqResponse,
    PciReadBlock,
    PciReadBlockResponse,
    PciResourcesAssigned,
    PciResourcesAssigned2,
    PciResponse,
    PciSetPower,
    PciSetPowerResponse,
    PciVersionRequest,
    PciWriteBlock,
    TranIntDesc,
)

M = MessageType
WINDOW: Final = 0xF800_0000  # where a right D0 entry puts the configuration window
VECTOR: Final = 0x31
BLOCK: Final = b"config block"
TRUE_OFFSET8: Final = 2  # a payload lies right behind the descriptor


class RawPacket(NamedTuple):
    """One record of a ring. ``len8`` None is the true length; else it and ``offset8`` may lie."""

    payload: bytes
    packet_type: int = VM_PKT_DATA_INBAND
    transaction_id: int = 0
    flags: int = 0
    offset8: int = TRUE_OFFSET8
    len8: int | None = None

    @property
    def lies(self) -> bool:
        """Whether the descriptor says something else than where the packet is."""
        return self.len8 is not None or self.offset8 != TRUE_OFFSET8

    @property
    def size(self) -> int:
        """Bytes of descriptor and payload, as they lie in the ring."""
        return DESCRIPTOR_BYTES + (len(self.payload) + 7 & ~7)

    @property
    def said_len8(self) -> int:
        """How long it says that it is, in units of 8 bytes."""
        return self.size >> 3 if self.len8 is None else self.len8


def in_slot(slot: SlotNumber) -> tuple[WireRecord, ...]:
    """What a guest may ask or say of the function in that slot."""
    return (
        PciChildMessage(M.PCI_QUERY_RESOURCE_REQUIREMENTS, slot),
        PciResourcesAssigned(wslot=slot),
        PciResourcesAssigned2(wslot=slot),
        OvCreateInterrupt2(slot=slot, interrupt=OvMsiResourceDescriptor2(VECTOR, 0, 1, 1)),
        OvCreateInterrupt3(slot=slot, interrupt=OvMsiResourceDescriptor3(VECTOR, 0, 0, 1, 1)),
        PciDeleteInterrupt(wslot=slot, int_desc=TranIntDesc(0, 1, 0, 0xFEE0_0010)),
        PciReadBlock(block_id=1, wslot=slot, bytes_requested=len(BLOCK)),
        PciWriteBlock(block_id=1, wslot=slot, byte_count=len(BLOCK), bytes=BLOCK + bytes(4)),
        PciSetPower(wslot=slot, power_state=1),
        PciEjectResponse(wslot=slot),
        OvGetResources(slot=slot),
        OvDeviceTranslate(slot=slot),
        OvDeviceTranslate(message_type=M.PCI_RESOURCES_ASSIGNED3, slot=slot),
        OvPdoMessage(slot=slot),
        OvVpciTdispCommandHeader(slot=slot),
        PciChildMessage(M.PCI_RESOURCES_RELEASED, slot),
    )


def creating(dialect: Dialect, slot: SlotNumber) -> bytes:
    """A right request for one interrupt of the function in that slot."""
    requests: Mapping[int, WireRecord] = {
        M.PCI_CREATE_INTERRUPT_MESSAGE: PciCreateInterrupt(
            wslot=slot, int_desc=HvMsiDesc(VECTOR, 0, 1, 0, 1)
        ),
        M.PCI_CREATE_INTERRUPT_MESSAGE2: PciCreateInterrupt2(
            wslot=slot, int_desc=HvMsiDesc2(VECTOR, 0, 1, 1)
        ),
        M.PCI_CREATE_INTERRUPT_MESSAGE3: PciCreateInterrupt3(
            wslot=slot, int_desc=HvMsiDesc3(VECTOR, 0, 0, 1, 1)
        ),
    }
    return requests[dialect.create_message].build()


@lru_cache(maxsize=4)
def from_a_guest(slots: tuple[SlotNumber, ...]) -> tuple[bytes, ...]:
    """Every message that a guest may send, of the functions in these slots."""
    of_the_bus: tuple[WireRecord, ...] = (
        *(PciVersionRequest(protocol_version=number) for number in VPCI_DIALECTS),
        PciMessage(M.PCI_QUERY_BUS_RELATIONS),
        PciBusD0Entry(mmio_base=WINDOW),
        PciMessage(M.PCI_BUS_D0EXIT),
    )
    of_functions = (record for slot in slots for record in in_slot(slot))
    right = [record.build() for record in (*of_the_bus, *of_functions)]
    right += (creating(dialect, slot) for slot in slots for dialect in VPCI_DIALECTS.values())
    return tuple(dict.fromkeys(right))


@lru_cache(maxsize=4)
def from_a_host(slots: tuple[SlotNumber, ...]) -> tuple[bytes, ...]:
    """Every message that a host may send of itself, of the functions in these slots."""
    functions = tuple(PciFunctionDescription(win_slot=slot, ser=1 + slot) for slot in slots)
    functions2 = tuple(PciFunctionDescription2(win_slot=slot, ser=1 + slot) for slot in slots)
    records: tuple[WireRecord, ...] = (
        PciBusRelations(device_count=len(slots), func=functions),
        PciBusRelations2(device_count=len(slots), func=functions2),
        *(PciDevIncoming(M.PCI_EJECT, slot) for slot in slots),
        *(PciDevInvalBlock(wslot=slot, block_mask=3) for slot in slots),
    )
    return tuple(record.build() for record in records)


@lru_cache(maxsize=1)
def answers() -> tuple[bytes, ...]:
    """Every form that the answer to a request may have."""
    records: tuple[WireRecord, ...] = (
        PciResponse(0),
        PciQResReqResponse(0, (0xFFFF_C004, 0xFFFF_FFFF, 0, 0, 0, 0)),
        PciCreateIntResponse(0, 0, TranIntDesc(0, 1, 0, 0xFEE0_0010)),
        PciReadBlockResponse(0, BLOCK),
        PciSetPowerResponse(0, 0, 1),
    )
    return tuple(record.build() for record in records)


def answer(transaction_id: int, payload: bytes) -> RawPacket:
    """A completion."""
    return RawPacket(payload, VM_PKT_COMP, transaction_id)
