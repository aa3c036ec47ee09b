# SPDX-License-Identifier: MIT
"""Hypercalls a vPCI guest makes: codes, control word, statuses and their input structures.

Structures as in Linux (``include/asm-generic/hyperv-tlfs.h``), numbers as in the Hypervisor TLFS.
Unions keep the member that covers all bytes; the others are views in the declaration and, where
code needs them, properties. Knows no hypervisor state.
"""

from typing import Annotated, NamedTuple

from construct import Int8ul, Int16ul, Int32ul, Int64ul

from protocol.codec import WireRecord
from protocol.fields import U32, U64
from protocol.shapes import At, Bits, Greedy, Inlined, Octets, Viewed

HV_HYP_PAGE_SHIFT = 12
HV_HYP_PAGE_SIZE = 1 << HV_HYP_PAGE_SHIFT  # bytes of a page on the wire, whatever the guest's are

HVCALL_POST_MESSAGE = 0x5C
HVCALL_SIGNAL_EVENT = 0x5D
HVCALL_MAP_DEVICE_INTERRUPT = 0x7C
HVCALL_UNMAP_DEVICE_INTERRUPT = 0x7D
HVCALL_RETARGET_INTERRUPT = 0x7E
HVCALL_MMIO_READ = 0x106
HVCALL_MMIO_WRITE = 0x107

HV_HYPERCALL_RESULT_MASK = 0xFFFF
HV_HYPERCALL_FAST_BIT = 1 << 16
HV_HYPERCALL_VARHEAD_OFFSET = 17
HV_HYPERCALL_VARHEAD_MASK = 0x3FF << HV_HYPERCALL_VARHEAD_OFFSET
HV_HYPERCALL_NESTED = 1 << 31
HV_HYPERCALL_REP_COMP_OFFSET = 32
HV_HYPERCALL_REP_COMP_MASK = 0xFFF << HV_HYPERCALL_REP_COMP_OFFSET
HV_HYPERCALL_REP_START_OFFSET = 48
HV_HYPERCALL_REP_START_MASK = 0xFFF << HV_HYPERCALL_REP_START_OFFSET

HV_STATUS_SUCCESS = 0
HV_STATUS_INVALID_HYPERCALL_CODE = 2
HV_STATUS_INVALID_HYPERCALL_INPUT = 3
HV_STATUS_INVALID_ALIGNMENT = 4
HV_STATUS_INVALID_PARAMETER = 5
HV_STATUS_ACCESS_DENIED = 6
HV_STATUS_OPERATION_DENIED = 8
HV_STATUS_INSUFFICIENT_MEMORY = 11
HV_STATUS_INVALID_PORT_ID = 17
HV_STATUS_INVALID_CONNECTION_ID = 18
HV_STATUS_INSUFFICIENT_BUFFERS = 19
HV_STATUS_TIME_OUT = 120
HV_STATUS_VTL_ALREADY_ENABLED = 134
# Linux does not name these (Hypervisor TLFS; OpenVMM hvdef HvError).
HV_STATUS_INVALID_PARTITION_ID = 0x0D
HV_STATUS_INVALID_VP_INDEX = 0x0E
HV_STATUS_INVALID_DEVICE_ID = 0x57

HV_PARTITION_ID_SELF = 0xFFFF_FFFF_FFFF_FFFF
HV_VP_INDEX_SELF = 0xFFFF_FFFE
HV_INTERRUPT_SOURCE_MSI = 1
HV_INTERRUPT_SOURCE_IOAPIC = 2
HV_GENERIC_SET_SPARSE_4K = 0
HV_GENERIC_SET_ALL = 1
HV_DEVICE_INTERRUPT_TARGET_MULTICAST = 1
HV_DEVICE_INTERRUPT_TARGET_PROCESSOR_SET = 2
HV_MAX_SPARSE_VCPU_BANKS = 64
HV_VCPUS_PER_SPARSE_BANK = 64
HV_HYPERCALL_MMIO_MAX_DATA_LENGTH = 64
HV_X64_USE_MMIO_HYPERCALLS = 1 << 21  # hint: config space by hypercall instead of MMIO


def call_code(control: int) -> int:
    """The hypercall's number from a control word."""
    return control & 0xFFFF


def variable_header_qwords(control: int) -> int:
    """8-byte units of input behind the fixed header."""
    return (control & HV_HYPERCALL_VARHEAD_MASK) >> HV_HYPERCALL_VARHEAD_OFFSET


def control_word(code: int, variable_header: int = 0) -> int:
    """The control word of a slow call; ``variable_header`` in 8-byte units."""
    return code | variable_header << HV_HYPERCALL_VARHEAD_OFFSET


class HypercallResult(NamedTuple):
    """What comes of a hypercall: the result register, output, for how long the VP was held.

    Above the register's low 16 bits the count of repetitions may stand. ``held_ns`` is in no
    register: it is what the guest's clock shows afterwards, for the calls that take their time
    (MMIO that maps or unmaps BARs).
    """

    register: int
    output: bytes = b""
    held_ns: int = 0

    @property
    def status(self) -> int:
        """HV_STATUS, as hv_result() has it."""
        return self.register & HV_HYPERCALL_RESULT_MASK

    def repeated(self, count: int) -> "HypercallResult":
        """The same, with that count of repetitions above the status."""
        return self._replace(register=self.register | count << HV_HYPERCALL_REP_COMP_OFFSET)


class HvMsiAddressRegister(WireRecord, frozen=True):
    """``union hv_msi_address_register``: x86 MSI address."""

    as_uint32: Annotated[
        int,
        Viewed(
            Int32ul,
            Bits("reserved1", 0, 2),
            Bits("destination_mode", 2, 1),
            Bits("redirection_hint", 3, 1),
            Bits("reserved2", 4, 8),
            Bits("destination_id", 12, 8),
            Bits("msi_base", 20, 12),
        ),
    ] = 0


class HvMsiDataRegister(WireRecord, frozen=True):
    """``union hv_msi_data_register``: x86 MSI data."""

    as_uint32: Annotated[
        int,
        Viewed(
            Int32ul,
            Bits("vector", 0, 8),
            Bits("delivery_mode", 8, 3),
            Bits("reserved1", 11, 3),
            Bits("level_assert", 14, 1),
            Bits("trigger_mode", 15, 1),
            Bits("reserved2", 16, 16),
        ),
    ] = 0


class HvMsiEntry(WireRecord, frozen=True):
    """``union hv_msi_entry``: the address and data a device was told to write."""

    address: Annotated[int, Inlined(HvMsiAddressRegister, At("as_uint64", 0, Int64ul))] = 0
    data: Annotated[int, Inlined(HvMsiDataRegister)] = 0


class HvIoapicRte(WireRecord, frozen=True):
    """``union hv_ioapic_rte``: an I/O APIC redirection entry in two words."""

    low_uint32: Annotated[
        int,
        Viewed(
            Int32ul,
            At("as_uint64", 0, Int64ul),
            Bits("vector", 0, 8),
            Bits("delivery_mode", 8, 3),
            Bits("destination_mode", 11, 1),
            Bits("delivery_status", 12, 1),
            Bits("interrupt_polarity", 13, 1),
            Bits("remote_irr", 14, 1),
            Bits("trigger_mode", 15, 1),
            Bits("interrupt_mask", 16, 1),
            Bits("reserved1", 17, 15),
        ),
    ] = 0
    high_uint32: Annotated[
        int, Viewed(Int32ul, Bits("reserved2", 0, 24), Bits("destination_id", 24, 8))
    ] = 0


class HvInterruptEntry(WireRecord, frozen=True):
    """``struct hv_interrupt_entry``: which interrupt; ``source`` is HV_INTERRUPT_SOURCE_*."""

    source: U32 = 0
    reserved1: U32 = 0
    msi_entry: Annotated[HvMsiEntry, Viewed(HvMsiEntry, At("ioapic_rte", 0, HvIoapicRte))] = (
        HvMsiEntry()
    )


class HvVpset(WireRecord, frozen=True):
    """``struct hv_vpset``: one 64-VP bank for every bit set in ``valid_bank_mask``."""

    format: U64 = 0
    valid_bank_mask: U64 = 0
    bank_contents: Annotated[tuple[int, ...], Greedy(Int64ul)] = ()


SetWords = Annotated[
    tuple[int, ...],
    Greedy(
        Int64ul,
        heads=("vp_set.valid_bank_mask",),
        named_by=("vp_mask", "vp_set.format"),
        path="vp_set.bank_contents",
    ),
]


class HvDeviceInterruptTarget(WireRecord, frozen=True):
    """``struct hv_device_interrupt_target``: a vector and the VPs that may take it.

    ``vp_mask`` is the 64-bit mask or, with the PROCESSOR_SET flag, the set's format;
    ``set_words`` are the set's valid_bank_mask and banks, absent in mask form.
    """

    vector: U32 = 0
    flags: U32 = 0
    vp_mask: Annotated[int, Viewed(Int64ul, At("vp_set.format", 0, Int64ul))] = 0
    set_words: SetWords = ()


class HvRetargetDeviceInterrupt(WireRecord, frozen=True):
    """``struct hv_retarget_device_interrupt``: input of HVCALL_RETARGET_INTERRUPT."""

    partition_id: U64 = HV_PARTITION_ID_SELF
    device_id: U64 = 0
    int_entry: HvInterruptEntry = HvInterruptEntry()
    reserved2: U64 = 0
    int_target: HvDeviceInterruptTarget = HvDeviceInterruptTarget()


class HvDeviceInterruptDescriptor(WireRecord, frozen=True):
    """``struct hv_device_interrupt_descriptor``."""

    interrupt_type: U32 = 0
    trigger_mode: U32 = 0
    vector_count: U32 = 0
    reserved: U32 = 0
    target: HvDeviceInterruptTarget = HvDeviceInterruptTarget()


class HvInputMapDeviceInterrupt(WireRecord, frozen=True):
    """``struct hv_input_map_device_interrupt``: root partitions only; not made by vPCI guests."""

    partition_id: U64 = 0
    device_id: U64 = 0
    flags: U64 = 0
    logical_interrupt_entry: HvInterruptEntry = HvInterruptEntry()
    interrupt_descriptor: HvDeviceInterruptDescriptor = HvDeviceInterruptDescriptor()


class HvOutputMapDeviceInterrupt(WireRecord, frozen=True):
    """``struct hv_output_map_device_interrupt``."""

    interrupt_entry: HvInterruptEntry = HvInterruptEntry()


class HvInputUnmapDeviceInterrupt(WireRecord, frozen=True):
    """``struct hv_input_unmap_device_interrupt``."""

    partition_id: U64 = 0
    device_id: U64 = 0
    interrupt_entry: HvInterruptEntry = HvInterruptEntry()


class HvMmioReadInput(WireRecord, frozen=True):
    """``struct hv_mmio_read_input``: ``size`` bytes at guest address ``gpa``."""

    gpa: U64 = 0
    size: U32 = 0
    reserved: U32 = 0


MmioData = Annotated[bytes, Octets(HV_HYPERCALL_MMIO_MAX_DATA_LENGTH)]


class HvMmioReadOutput(WireRecord, frozen=True):
    """``struct hv_mmio_read_output``: the first ``size`` bytes count."""

    data: MmioData = bytes(HV_HYPERCALL_MMIO_MAX_DATA_LENGTH)


class HvMmioWriteInput(WireRecord, frozen=True):
    """``struct hv_mmio_write_input``: ``size`` bytes of ``data`` to guest address ``gpa``."""

    gpa: U64 = 0
    size: U32 = 0
    reserved: U32 = 0
    data: MmioData = bytes(HV_HYPERCALL_MMIO_MAX_DATA_LENGTH)


class HvPciBdf(WireRecord, frozen=True):
    """``union hv_pci_bdf``: bus, device, function."""

    as_uint16: Annotated[
        int,
        Viewed(
            Int16ul,
            Bits("function", 0, 3, size=1),
            Bits("device", 3, 5, size=1),
            At("bus", 1, Int8ul),
        ),
    ] = 0


class HvPciBusRange(WireRecord, frozen=True):
    """``union hv_pci_bus_range``."""

    as_uint16: Annotated[
        int,
        Viewed(Int16ul, At("subordinate_bus", 0, Int8ul), At("secondary_bus", 1, Int8ul)),
    ] = 0


class HvDeviceId(WireRecord, frozen=True):
    """``union hv_device_id``: the type is in the two highest bits, the rest depends on it."""

    as_uint64: Annotated[
        int,
        Viewed(
            Int64ul,
            Bits("reserved0", 0, 62),
            Bits("device_type", 62, 2),
            Bits("logical.id", 0, 62),
            Bits("logical.device_type", 62, 2),
            At("pci.rid", 0, Int16ul),
            At("pci.bdf", 0, HvPciBdf),
            At("pci.segment", 2, Int16ul),
            At("pci.shadow_bus_range", 4, HvPciBusRange),
            Bits("pci.phantom_function_bits", 0, 2, offset=6, size=2),
            Bits("pci.source_shadow", 2, 1, offset=6, size=2),
            Bits("pci.rsvdz0", 3, 11, offset=6, size=2),
            Bits("pci.device_type", 14, 2, offset=6, size=2),
            At("ioapic.ioapic_id", 0, Int8ul),
            At("ioapic.rsvdz0", 1, Int8ul),
            At("ioapic.rsvdz1", 2, Int16ul),
            At("ioapic.rsvdz2", 4, Int16ul),
            Bits("ioapic.rsvdz3", 0, 14, offset=6, size=2),
            Bits("ioapic.device_type", 14, 2, offset=6, size=2),
            At("acpi.input_mapping_base", 0, Int32ul),
            Bits("acpi.input_mapping_count", 0, 30, offset=4, size=4),
            Bits("acpi.device_type", 30, 2, offset=4, size=4),
        ),
    ] = 0
