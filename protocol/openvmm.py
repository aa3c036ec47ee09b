# SPDX-License-Identifier: MIT
"""The vPCI messages as OpenVMM declares them (crate ``vpci_protocol``), and its retarget input.

Where OpenVMM's form equals Linux's in size, both describe the same bytes; where it is longer, its
VSP accepts Linux's only thanks to ring padding. ``OvX`` is OpenVMM's ``X``. Knows no role.
"""

from enum import IntEnum
from typing import Annotated

from construct import Array, Int16ul, Int32ul, Int64ul

from protocol.codec import WireRecord
from protocol.fields import U8, U16, U32, U64
from protocol.shapes import Bits, Counted, Greedy, Inlined, UpTo, Viewed
from protocol.vpci import NO_PROCESSORS, MessageType, Processors

M = MessageType
TDISP_DATA_BYTES_MAX = 39_656  # MAXIMUM_PACKET_SIZE


class ResourceType(IntEnum):
    """OpenVMM ``ResourceType``: Windows' CM_PARTIAL_RESOURCE_DESCRIPTOR types."""

    NULL = 0
    PORT = 1
    INTERRUPT = 2
    MEMORY = 3
    DMA = 4
    DEVICE_SPECIFIC = 5
    BUS_NUMBER = 6
    MEMORY_LARGE = 7


class OvSlot(WireRecord, frozen=True):
    """``SlotNumber``: device in bits 0-4, function in 5-7."""

    KERNEL_NAME = "ov_slot"
    raw: Annotated[
        int,
        Viewed(
            Int32ul,
            Bits("bits.device", 0, 5),
            Bits("bits.function", 5, 3),
            Bits("bits.reserved", 8, 24),
        ),
    ] = 0


Slot = Annotated[int, Inlined(OvSlot)]


class OvQueryProtocolVersion(WireRecord, frozen=True):
    """``QueryProtocolVersion``."""

    message_type: U32 = M.PCI_QUERY_PROTOCOL_VERSION
    protocol_version: U32 = 0


class OvQueryProtocolVersionReply(WireRecord, frozen=True):
    """``QueryProtocolVersionReply``: the VSP always says 1.3 here, whatever it accepted."""

    status: U32 = 0
    protocol_version: U32 = 0


class OvPnpId(WireRecord, frozen=True):
    """``PnpId``: as in configuration space."""

    vendor_id: U16 = 0
    device_id: U16 = 0
    revision_id: U8 = 0
    prog_if: U8 = 0
    sub_class: U8 = 0
    base_class: U8 = 0
    sub_vendor_id: U16 = 0
    sub_system_id: U16 = 0


class OvDeviceDescription(WireRecord, frozen=True):
    """``DeviceDescription``: one function of a list before 1.3."""

    pnp_id: OvPnpId = OvPnpId()
    slot: Slot = 0
    serial_num: U32 = 0


class OvDeviceDescription2(WireRecord, frozen=True):
    """``DeviceDescription2``: with flags and NUMA node."""

    pnp_id: OvPnpId = OvPnpId()
    slot: Slot = 0
    serial_num: U32 = 0
    flags: U32 = 0
    numa_node: U16 = 0
    rsvd: U16 = 0


class OvQueryBusRelations(WireRecord, frozen=True):
    """``QueryBusRelations``, with the descriptions that follow it."""

    message_type: U32 = M.PCI_BUS_RELATIONS
    device_count: U32 = 0
    device: Annotated[
        tuple[OvDeviceDescription, ...], Counted("device_count", OvDeviceDescription)
    ] = ()


class OvQueryBusRelations2(WireRecord, frozen=True):
    """``QueryBusRelations2``, with the descriptions that follow it."""

    message_type: U32 = M.PCI_BUS_RELATIONS2
    device_count: U32 = 0
    device: Annotated[
        tuple[OvDeviceDescription2, ...], Counted("device_count", OvDeviceDescription2)
    ] = ()


class OvQueryResourceRequirements(WireRecord, frozen=True):
    """``QueryResourceRequirements``."""

    message_type: U32 = M.PCI_QUERY_RESOURCE_REQUIREMENTS
    slot: Slot = 0


class OvQueryResourceRequirementsReply(WireRecord, frozen=True):
    """``QueryResourceRequirementsReply``: each BAR as read back after writing all ones."""

    status: U32 = 0
    bars: Annotated[tuple[int, ...], Array(6, Int32ul)] = (0,) * 6


class OvGetResources(WireRecord, frozen=True):
    """``GetResources``: answered by a bare ``PartialResourceList``."""

    message_type: U32 = M.PCI_QUERY_RESOURCE_RESOURCES
    slot: Slot = 0
    reserved: Annotated[tuple[int, ...], Array(3, Int64ul)] = (0,) * 3


class OvResourceFlags(WireRecord, frozen=True):
    """``ResourceFlags``: by how much a large resource's length is shifted."""

    raw: Annotated[
        int,
        Viewed(
            Int16ul,
            Bits("bits.reserved", 0, 9),
            Bits("bits.large_40", 9, 1),
            Bits("bits.large_48", 10, 1),
            Bits("bits.large_64", 11, 1),
            Bits("bits.reserved2", 12, 4),
        ),
    ] = 0


class OvPartialResourceDescriptor(WireRecord, frozen=True):
    """``PartialResourceDescriptor``: one BAR; address in bytes, length shifted by the flags."""

    resource_type: U8 = 0
    share_disposition: U8 = 0
    flags: Annotated[int, Inlined(OvResourceFlags)] = 0
    address: U64 = 0
    adjusted_len: U32 = 0
    padding: U32 = 0


SixResources = Annotated[
    tuple[OvPartialResourceDescriptor, ...], Array(6, OvPartialResourceDescriptor.CONSTRUCT)
]
NO_RESOURCES = (OvPartialResourceDescriptor(),) * 6
# The MSI records behind the fixed part, as 8-byte words: their form depends on the message type.
MsiWords = Annotated[tuple[int, ...], Greedy(Int64ul)]


class OvPartialResourceList(WireRecord, frozen=True):
    """``PartialResourceList``: the reply to ``GetResources``, without a status."""

    version: U16 = 0
    revision: U16 = 0
    count: U32 = 0
    descriptors: SixResources = NO_RESOURCES


class OvFdoD0Entry(WireRecord, frozen=True):
    """``FdoD0Entry``: guest address of the configuration window."""

    message_type: U32 = M.PCI_BUS_D0ENTRY
    padding: U32 = 0
    mmio_start: U64 = 0


class OvMsiResource(WireRecord, frozen=True):
    """``MsiResource``: 16 bytes, a descriptor or its remapped form."""

    resource_data: Annotated[tuple[int, ...], Array(2, Int64ul)] = (0,) * 2


class OvMsiResource2(WireRecord, frozen=True):
    """``MsiResource2``: 72 bytes."""

    resource_data: Annotated[tuple[int, ...], Array(9, Int64ul)] = (0,) * 9


class OvMsiResource3(WireRecord, frozen=True):
    """``MsiResource3``: 80 bytes."""

    resource_data: Annotated[tuple[int, ...], Array(10, Int64ul)] = (0,) * 10


class OvMsiResourceRemapped(WireRecord, frozen=True):
    """``MsiResourceRemapped``: address and data to program."""

    reserved: U16 = 0
    message_count: U16 = 0
    data_payload: U32 = 0
    address: U64 = 0


class OvMsiResourceDescriptor(WireRecord, frozen=True):
    """``MsiResourceDescriptor``: targets as a mask."""

    vector: U8 = 0
    delivery_mode: U8 = 0
    vector_count: U16 = 0
    reserved: Annotated[tuple[int, ...], Array(2, Int16ul)] = (0, 0)
    processor_mask: U64 = 0


class OvMsiResourceDescriptor2(WireRecord, frozen=True):
    """``MsiResourceDescriptor2``: targets as a list; two bytes longer than Linux's."""

    vector: U8 = 0
    delivery_mode: U8 = 0
    vector_count: U16 = 0
    processor_count: U16 = 0
    processor_array: Processors = NO_PROCESSORS
    reserved: U16 = 0


class OvMsiResourceDescriptor3(WireRecord, frozen=True):
    """``MsiResourceDescriptor3``: 32-bit vector; two bytes longer than Linux's."""

    vector: U32 = 0
    delivery_mode: U8 = 0
    reserved: U8 = 0
    vector_count: U16 = 0
    processor_count: U16 = 0
    processor_array: Processors = NO_PROCESSORS
    reserved2: U16 = 0


class OvDeviceTranslate(WireRecord, frozen=True):
    """``DeviceTranslate``: the resources assigned, then the MSI records as words."""

    message_type: U32 = M.PCI_RESOURCES_ASSIGNED
    slot: Slot = 0
    mmio_resources: SixResources = NO_RESOURCES
    msi_resource_count: U32 = 0
    reserved: U32 = 0
    msi_resources: MsiWords = ()


class OvDeviceTranslateReply(WireRecord, frozen=True):
    """``DeviceTranslateReply``: the resources echoed, then the MSI records as words."""

    status: U32 = 0
    slot: Slot = 0
    mmio_resources: SixResources = NO_RESOURCES
    msi_resource_count: U32 = 0
    reserved: U32 = 0
    msi_resources: MsiWords = ()


class OvCreateInterrupt(WireRecord, frozen=True):
    """``CreateInterrupt``."""

    message_type: U32 = M.PCI_CREATE_INTERRUPT_MESSAGE
    slot: Slot = 0
    interrupt: OvMsiResourceDescriptor = OvMsiResourceDescriptor()


class OvCreateInterruptReply(WireRecord, frozen=True):
    """``CreateInterruptReply``."""

    status: U32 = 0
    rsvd: U32 = 0
    interrupt: OvMsiResourceRemapped = OvMsiResourceRemapped()


class OvCreateInterrupt2(WireRecord, frozen=True):
    """``CreateInterrupt2``: 80 bytes where Linux sends 78."""

    message_type: U32 = M.PCI_CREATE_INTERRUPT_MESSAGE2
    slot: Slot = 0
    interrupt: OvMsiResourceDescriptor2 = OvMsiResourceDescriptor2()


class OvCreateInterrupt3(WireRecord, frozen=True):
    """``CreateInterrupt3``: 84 bytes where Linux sends 82."""

    message_type: U32 = M.PCI_CREATE_INTERRUPT_MESSAGE3
    slot: Slot = 0
    interrupt: OvMsiResourceDescriptor3 = OvMsiResourceDescriptor3()


class OvDeleteInterrupt(WireRecord, frozen=True):
    """``DeleteInterrupt``."""

    message_type: U32 = M.PCI_DELETE_INTERRUPT_MESSAGE
    slot: Slot = 0
    interrupt: OvMsiResourceRemapped = OvMsiResourceRemapped()


class OvDevicePowerChange(WireRecord, frozen=True):
    """``DevicePowerChange``: 1 is D0, 4 is D3."""

    message_type: U32 = M.PCI_POWER_STATE_CHANGE
    slot: Slot = 0
    target_state: U32 = 0


class OvPdoMessage(WireRecord, frozen=True):
    """``PdoMessage``: a type and a slot (reset, release, eject)."""

    message_type: U32 = M.RESET_DEVICE
    slot: Slot = 0


TdispData = Annotated[
    bytes, UpTo(TDISP_DATA_BYTES_MAX, declared=0, count_field="data_length", appended=0)
]


class OvVpciTdispCommandHeader(WireRecord, frozen=True):
    """``VpciTdispCommandHeader``, with the ``data_length`` bytes that follow it."""

    message_type: U32 = M.VPCI_TDISP_COMMAND
    slot: Slot = 0
    data_length: U64 = 0
    data: TdispData = b""


class OvVpciTdispCommandHeaderReply(WireRecord, frozen=True):
    """``VpciTdispCommandHeaderReply``, with the ``data_length`` bytes that follow it."""

    status: U32 = 0
    slot: Slot = 0
    data_length: U64 = 0
    data: TdispData = b""


class OvInterruptEntry(WireRecord, frozen=True):
    """``InterruptEntry`` of the retarget hypercall: for an MSI, address and data."""

    source: U32 = 0
    rsvd: U32 = 0
    data: Annotated[tuple[int, ...], Array(2, Int32ul)] = (0, 0)


class OvInterruptTarget(WireRecord, frozen=True):
    """``InterruptTarget``: a VP mask, or a set's format by the flags."""

    vector: U32 = 0
    flags: U32 = 0
    mask_or_format: U64 = 0


class OvRetargetDeviceInterrupt(WireRecord, frozen=True):
    """``RetargetDeviceInterrupt``: without the set that may follow."""

    partition_id: U64 = 0
    device_id: U64 = 0
    entry: OvInterruptEntry = OvInterruptEntry()
    rsvd: U64 = 0
    target_header: OvInterruptTarget = OvInterruptTarget()
