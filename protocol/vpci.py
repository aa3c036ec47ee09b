# SPDX-License-Identifier: MIT
"""The vPCI messages as Linux declares them (``drivers/pci/controller/pci-hyperv.c``).

Record fields bear the kernel's member names; wrappers with a single member are flattened
(``message_type.type`` -> ``message_type``, ``wslot.slot`` -> ``wslot``). Structures that begin with
the ring descriptor in the kernel are here what follows it. Every field defaults to zero, every
message type to the one its structure is made for. Knows no version, no order and no role.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Annotated

from construct import Array, Int16ul, Int32ul

from protocol.codec import Buffer, WireRecord
from protocol.errors import WireFormatError
from protocol.fields import S32, U8, U16, U32, U64
from protocol.shapes import At, Bits, Counted, Inlined, Octets, UpTo, Viewed

PROCESSOR_ARRAY_ENTRIES = 32  # hv_msi_desc2/3: virtual processors in one list
CONFIG_BLOCK_BYTES_MAX = 128  # HV_CONFIG_BLOCK_SIZE_MAX
WRITE_BLOCK_QUIRK_BYTES = 4  # hv_write_config_block(): for hosts whose length check was wrong
PROBED_BARS = 6  # PCI_STD_NUM_BARS
DEVICE_FLAG_NUMA_AFFINITY = 1  # HV_PCI_DEVICE_FLAG_NUMA_AFFINITY
POWER_STATE_D0 = 1  # Windows' DEVICE_POWER_STATE
POWER_STATE_D3 = 4
DELIVERY_MODE_FIXED = 0
DELIVERY_MODE_LOWEST_PRIORITY = 1


class MessageType(IntEnum):
    """``enum pci_message_type``; the last group has no name in Linux (OpenVMM vpci_protocol)."""

    PCI_BUS_RELATIONS = 0x42490000
    PCI_QUERY_BUS_RELATIONS = 0x42490001
    PCI_POWER_STATE_CHANGE = 0x42490004
    PCI_QUERY_RESOURCE_REQUIREMENTS = 0x42490005
    PCI_QUERY_RESOURCE_RESOURCES = 0x42490006
    PCI_BUS_D0ENTRY = 0x42490007
    PCI_BUS_D0EXIT = 0x42490008
    PCI_READ_BLOCK = 0x42490009
    PCI_WRITE_BLOCK = 0x4249000A
    PCI_EJECT = 0x4249000B
    PCI_QUERY_STOP = 0x4249000C
    PCI_REENABLE = 0x4249000D
    PCI_QUERY_STOP_FAILED = 0x4249000E
    PCI_EJECTION_COMPLETE = 0x4249000F
    PCI_RESOURCES_ASSIGNED = 0x42490010
    PCI_RESOURCES_RELEASED = 0x42490011
    PCI_INVALIDATE_BLOCK = 0x42490012
    PCI_QUERY_PROTOCOL_VERSION = 0x42490013
    PCI_CREATE_INTERRUPT_MESSAGE = 0x42490014
    PCI_DELETE_INTERRUPT_MESSAGE = 0x42490015
    PCI_RESOURCES_ASSIGNED2 = 0x42490016
    PCI_CREATE_INTERRUPT_MESSAGE2 = 0x42490017
    PCI_DELETE_INTERRUPT_MESSAGE2 = 0x42490018
    PCI_BUS_RELATIONS2 = 0x42490019
    PCI_RESOURCES_ASSIGNED3 = 0x4249001A
    PCI_CREATE_INTERRUPT_MESSAGE3 = 0x4249001B

    INVALIDATE_DEVICE = 0x42490002
    INVALIDATE_BUS = 0x42490003
    RESET_DEVICE = 0x4249001C
    VPCI_TDISP_COMMAND = 0x4249001D


M = MessageType


class PciVersion(WireRecord, frozen=True):
    """``union pci_version``: major in the upper, minor in the lower half."""

    version: Annotated[
        int,
        Viewed(
            Int32ul, At("parts.minor_version", 0, Int16ul), At("parts.major_version", 2, Int16ul)
        ),
    ] = 0


class WinSlotEncoding(WireRecord, frozen=True):
    """``union win_slot_encoding``: device number in bits 0-4, function in 5-7."""

    slot: Annotated[
        int,
        Viewed(
            Int32ul, Bits("bits.dev", 0, 5), Bits("bits.func", 5, 3), Bits("bits.reserved", 8, 24)
        ),
    ] = 0


class PciMessage(WireRecord, frozen=True):
    """``struct pci_message``: a whole message that is only its type (query relations, D0 exit)."""

    message_type: Annotated[int, Viewed(Int32ul, path="type")] = 0


Type = Annotated[int, Inlined(PciMessage)]
IncomingType = Annotated[int, Inlined(PciMessage, path="incoming.message_type")]
Slot = Annotated[int, Inlined(WinSlotEncoding)]
Processors = Annotated[tuple[int, ...], Array(PROCESSOR_ARRAY_ENTRIES, Int16ul)]
NO_PROCESSORS = (0,) * PROCESSOR_ARRAY_ENTRIES
MemoryRange = Annotated[bytes, Octets(20, 6)]
BlockRead = Annotated[bytes, UpTo(CONFIG_BLOCK_BYTES_MAX, declared=CONFIG_BLOCK_BYTES_MAX)]
BlockWritten = Annotated[
    bytes,
    UpTo(
        CONFIG_BLOCK_BYTES_MAX + WRITE_BLOCK_QUIRK_BYTES,
        declared=CONFIG_BLOCK_BYTES_MAX,
        count_field="byte_count",
        appended=WRITE_BLOCK_QUIRK_BYTES,
    ),
]


class PciFunctionDescription(WireRecord, frozen=True):
    """``struct pci_function_description``: one function of a 1.1/1.2 relations list."""

    v_id: U16 = 0
    d_id: U16 = 0
    rev: U8 = 0
    prog_intf: U8 = 0
    subclass: U8 = 0
    base_class: U8 = 0
    subsystem_id: U32 = 0
    win_slot: Slot = 0
    ser: U32 = 0


class PciFunctionDescription2(WireRecord, frozen=True):
    """``struct pci_function_description2``: with flags and virtual NUMA node, since 1.3."""

    v_id: U16 = 0
    d_id: U16 = 0
    rev: U8 = 0
    prog_intf: U8 = 0
    subclass: U8 = 0
    base_class: U8 = 0
    subsystem_id: U32 = 0
    win_slot: Slot = 0
    ser: U32 = 0
    flags: U32 = 0
    virtual_numa_node: U16 = 0
    reserved: U16 = 0


class HvMsiDesc(WireRecord, frozen=True):
    """``struct hv_msi_desc`` (1.1): targets as a mask of 64 virtual processors."""

    vector: U8 = 0
    delivery_mode: U8 = 0
    vector_count: U16 = 0
    reserved: U32 = 0
    cpu_mask: U64 = 0


class HvMsiDesc2(WireRecord, frozen=True):
    """``struct hv_msi_desc2`` (1.2, 1.3): targets as a list of ``processor_count`` VP indices."""

    vector: U8 = 0
    delivery_mode: U8 = 0
    vector_count: U16 = 0
    processor_count: U16 = 0
    processor_array: Processors = NO_PROCESSORS


class HvMsiDesc3(WireRecord, frozen=True):
    """``struct hv_msi_desc3`` (1.4): as 2, with a 32-bit vector for arm64's interrupt numbers."""

    vector: U32 = 0
    delivery_mode: U8 = 0
    reserved: U8 = 0
    vector_count: U16 = 0
    processor_count: U16 = 0
    processor_array: Processors = NO_PROCESSORS


class TranIntDesc(WireRecord, frozen=True):
    """``struct tran_int_desc``: the remapped message; vector n writes ``data + n``."""

    reserved: U16 = 0
    vector_count: U16 = 0
    data: U32 = 0
    address: U64 = 0


class PciChildMessage(WireRecord, frozen=True):
    """``struct pci_child_message``: a type and a slot (resource query, resources released)."""

    message_type: Type = 0
    wslot: Slot = 0


class PciIncomingMessage(WireRecord, frozen=True):
    """``struct pci_incoming_message``: how every packet from the host begins."""

    DESCRIPTOR_PATH = "hdr"
    message_type: Type = 0


class PciResponse(WireRecord, frozen=True):
    """``struct pci_response``: a completion's NTSTATUS, signed; negative is failure."""

    DESCRIPTOR_PATH = "hdr"
    status: S32 = 0


class PciVersionRequest(WireRecord, frozen=True):
    """``struct pci_version_request``: ``protocol_version`` is major << 16 | minor."""

    message_type: Type = M.PCI_QUERY_PROTOCOL_VERSION
    protocol_version: U32 = 0


class PciBusD0Entry(WireRecord, frozen=True):
    """``struct pci_bus_d0_entry``: ``mmio_base`` is the guest address of the config window."""

    message_type: Type = M.PCI_BUS_D0ENTRY
    reserved: U32 = 0
    mmio_base: U64 = 0


class PciBusRelations(WireRecord, frozen=True):
    """``struct pci_bus_relations``: all functions the bus has now, ``device_count`` of them."""

    DESCRIPTOR_PATH = "incoming.hdr"
    message_type: IncomingType = M.PCI_BUS_RELATIONS
    device_count: U32 = 0
    func: Annotated[
        tuple[PciFunctionDescription, ...], Counted("device_count", PciFunctionDescription)
    ] = ()


class PciBusRelations2(WireRecord, frozen=True):
    """``struct pci_bus_relations2``: as 1, with flags and NUMA node, since 1.3."""

    DESCRIPTOR_PATH = "incoming.hdr"
    message_type: IncomingType = M.PCI_BUS_RELATIONS2
    device_count: U32 = 0
    func: Annotated[
        tuple[PciFunctionDescription2, ...], Counted("device_count", PciFunctionDescription2)
    ] = ()


class PciQResReqResponse(WireRecord, frozen=True):
    """``struct pci_q_res_req_response``: each BAR as read back after writing all ones."""

    DESCRIPTOR_PATH = "hdr"
    status: S32 = 0
    probed_bar: Annotated[tuple[int, ...], Array(PROBED_BARS, Int32ul)] = (0,) * PROBED_BARS


class PciSetPower(WireRecord, frozen=True):
    """``struct pci_set_power``: never sent by Linux; OpenVMM reads its first 12 bytes."""

    message_type: Type = M.PCI_POWER_STATE_CHANGE
    wslot: Slot = 0
    power_state: U32 = 0
    reserved: U32 = 0


class PciSetPowerResponse(WireRecord, frozen=True):
    """``struct pci_set_power_response``: defined, never parsed by Linux."""

    DESCRIPTOR_PATH = "hdr"
    status: S32 = 0
    wslot: Slot = 0
    resultant_state: U32 = 0
    reserved: U32 = 0


class PciResourcesAssigned(WireRecord, frozen=True):
    """``struct pci_resources_assigned`` (1.1). Linux leaves all behind the slot zero."""

    message_type: Type = M.PCI_RESOURCES_ASSIGNED
    wslot: Slot = 0
    memory_range: MemoryRange = bytes(120)
    msi_descriptors: U32 = 0
    reserved: Annotated[tuple[int, ...], Array(4, Int32ul)] = (0, 0, 0, 0)


class PciResourcesAssigned2(WireRecord, frozen=True):
    """``struct pci_resources_assigned2`` (from 1.2 on). Linux leaves all behind the slot zero."""

    message_type: Type = M.PCI_RESOURCES_ASSIGNED2
    wslot: Slot = 0
    memory_range: MemoryRange = bytes(120)
    msi_descriptor_count: U32 = 0
    reserved: Annotated[bytes, Octets(70)] = bytes(70)


class PciCreateInterrupt(WireRecord, frozen=True):
    """``struct pci_create_interrupt`` (1.1)."""

    message_type: Type = M.PCI_CREATE_INTERRUPT_MESSAGE
    wslot: Slot = 0
    int_desc: HvMsiDesc = HvMsiDesc()


class PciCreateInterrupt2(WireRecord, frozen=True):
    """``struct pci_create_interrupt2`` (1.2, 1.3)."""

    message_type: Type = M.PCI_CREATE_INTERRUPT_MESSAGE2
    wslot: Slot = 0
    int_desc: HvMsiDesc2 = HvMsiDesc2()


class PciCreateInterrupt3(WireRecord, frozen=True):
    """``struct pci_create_interrupt3`` (1.4)."""

    message_type: Type = M.PCI_CREATE_INTERRUPT_MESSAGE3
    wslot: Slot = 0
    int_desc: HvMsiDesc3 = HvMsiDesc3()


class PciCreateIntResponse(WireRecord, frozen=True):
    """``struct pci_create_int_response``: what to program into the device's MSI registers."""

    DESCRIPTOR_PATH = "response.hdr"
    status: Annotated[int, Viewed(S32.__metadata__[0], path="response.status")] = 0
    reserved: U32 = 0
    int_desc: TranIntDesc = TranIntDesc()


class PciDeleteInterrupt(WireRecord, frozen=True):
    """``struct pci_delete_interrupt``: names the interrupt by the message it was given."""

    message_type: Type = M.PCI_DELETE_INTERRUPT_MESSAGE
    wslot: Slot = 0
    int_desc: TranIntDesc = TranIntDesc()


class PciReadBlock(WireRecord, frozen=True):
    """``struct pci_read_block``: at most 128 bytes of a config block. The block comes first."""

    message_type: Type = M.PCI_READ_BLOCK
    block_id: U32 = 0
    wslot: Slot = 0
    bytes_requested: U32 = 0


class PciReadBlockResponse(WireRecord, frozen=True):
    """``struct pci_read_block_response``: NTSTATUS, unsigned here, then up to 128 bytes.

    The length of ``bytes`` is the packet's, so it includes ring padding.
    """

    DESCRIPTOR_PATH = "hdr"
    status: U32 = 0
    bytes: BlockRead = b""


class PciWriteBlock(WireRecord, frozen=True):
    """``struct pci_write_block``: ``byte_count`` bytes of data, then four zero bytes.

    The four are Linux's, on purpose (``WRITE_BLOCK_QUIRK_BYTES``); whoever builds one adds them.
    """

    message_type: Type = M.PCI_WRITE_BLOCK
    block_id: U32 = 0
    wslot: Slot = 0
    byte_count: U32 = 0
    bytes: BlockWritten = b""


class PciDevInvalBlock(WireRecord, frozen=True):
    """``struct pci_dev_inval_block``: bit n of the mask says that block n has changed."""

    DESCRIPTOR_PATH = "incoming.hdr"
    message_type: IncomingType = M.PCI_INVALIDATE_BLOCK
    wslot: Slot = 0
    block_mask: U64 = 0


class PciDevIncoming(WireRecord, frozen=True):
    """``struct pci_dev_incoming``: a type and a slot from the host (eject)."""

    DESCRIPTOR_PATH = "incoming.hdr"
    message_type: IncomingType = M.PCI_EJECT
    wslot: Slot = 0


class PciEjectResponse(WireRecord, frozen=True):
    """``struct pci_eject_response``: Linux's answer to an eject; NTSTATUS, unsigned here."""

    message_type: Type = M.PCI_EJECTION_COMPLETE
    wslot: Slot = 0
    status: U32 = 0


# In-band messages by type. Completions carry no type: their request tells what they are.
RECORDS: Mapping[int, type[WireRecord]] = {
    M.PCI_BUS_RELATIONS: PciBusRelations,
    M.PCI_QUERY_BUS_RELATIONS: PciMessage,
    M.PCI_POWER_STATE_CHANGE: PciSetPower,
    M.PCI_QUERY_RESOURCE_REQUIREMENTS: PciChildMessage,
    M.PCI_BUS_D0ENTRY: PciBusD0Entry,
    M.PCI_BUS_D0EXIT: PciMessage,
    M.PCI_READ_BLOCK: PciReadBlock,
    M.PCI_WRITE_BLOCK: PciWriteBlock,
    M.PCI_EJECT: PciDevIncoming,
    M.PCI_EJECTION_COMPLETE: PciEjectResponse,
    M.PCI_RESOURCES_ASSIGNED: PciResourcesAssigned,
    M.PCI_RESOURCES_RELEASED: PciChildMessage,
    M.PCI_INVALIDATE_BLOCK: PciDevInvalBlock,
    M.PCI_QUERY_PROTOCOL_VERSION: PciVersionRequest,
    M.PCI_CREATE_INTERRUPT_MESSAGE: PciCreateInterrupt,
    M.PCI_DELETE_INTERRUPT_MESSAGE: PciDeleteInterrupt,
    M.PCI_RESOURCES_ASSIGNED2: PciResourcesAssigned2,
    M.PCI_CREATE_INTERRUPT_MESSAGE2: PciCreateInterrupt2,
    M.PCI_DELETE_INTERRUPT_MESSAGE2: PciDeleteInterrupt,
    M.PCI_BUS_RELATIONS2: PciBusRelations2,
    M.PCI_CREATE_INTERRUPT_MESSAGE3: PciCreateInterrupt3,
}
MESSAGE_NAMES: Mapping[int, str] = {int(member): member.name for member in MessageType}


def message_type(payload: Buffer) -> int:
    """The type word a vPCI message begins with. Raises WireFormatError below four bytes."""
    if len(payload) < 4:
        reason = f"{4 - len(payload)} bytes too short"
        raise WireFormatError("pci_message", "type", 0, reason)
    return int.from_bytes(payload[:4], "little")


def message_name(payload: Buffer) -> str:
    """The name of an in-band message, or its type in hexadecimal when nobody has one for it."""
    code = message_type(payload)
    return MESSAGE_NAMES.get(code) or f"0x{code:08x}"


def parse_message(payload: Buffer) -> WireRecord:
    """The record of an in-band message by its type (Linux's structures).

    Raises WireFormatError for a type without a structure or for bytes too short for theirs.
    """
    code = message_type(payload)
    record = RECORDS.get(code)
    if record is None:
        reason = f"0x{code:08x} is no message with a structure"
        raise WireFormatError("pci_message", "type", 0, reason)
    return record.parse(payload)
