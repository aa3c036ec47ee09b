# SPDX-License-Identifier: MIT
"""Typed identifiers of the field, and those made from others. Knows no message and no role.

Each is an ``int`` on the wire or in a register; the type says which numbers may meet. A VP index
(the hypervisor's), a CPU number (Linux's) and a physical CPU are three different things.
"""

from functools import lru_cache
from typing import NewType
from uuid import UUID

INSTANCES_KEPT = 4096  # instance ids whose logical device ids are remembered; a VM has fewer
RelId = NewType("RelId", int)  # child_relid of a channel offer
GpadlId = NewType("GpadlId", int)
ConnectionId = NewType("ConnectionId", int)
TransactionId = NewType("TransactionId", int)  # the value on the wire; 0 is unsolicited
SlotNumber = NewType("SlotNumber", int)  # wslot: bits 0-4 device, bits 5-7 function
Devfn = NewType("Devfn", int)  # Linux: (device << 3) | function
VpIndex = NewType("VpIndex", int)
CpuId = NewType("CpuId", int)
PcpuId = NewType("PcpuId", int)
Gpa = NewType("Gpa", int)  # guest physical address, bytes
Vector = NewType("Vector", int)  # of x86, or the number of an arm64 SPI (its INTID)


def devfn_to_wslot(devfn: Devfn) -> SlotNumber:
    """Linux devfn to the wire's slot number (wire-constants: slot_encoding)."""
    return SlotNumber(((devfn >> 3) & 0x1F) | ((devfn & 7) << 5))


def wslot_to_devfn(wslot: SlotNumber) -> Devfn:
    """The wire's slot number to Linux's devfn; reserved bits above 7 are ignored."""
    return Devfn(((wslot & 0x1F) << 3) | ((wslot >> 5) & 7))


@lru_cache(maxsize=INSTANCES_KEPT)
def logical_device_id(instance_id: UUID, function: int = 0) -> int:
    """By which hypercalls name a function's interrupts: 32 bits, unsigned.

    Bytes 5, 4, 7 and 6 & 0xF8 of the instance id as it lies in memory, high to low, with the PCI
    function number in the low 3 bits (``hv_arch_irq_unmask``; OpenVMM device_builder).
    """
    guid = instance_id.bytes_le
    return guid[5] << 24 | guid[4] << 16 | guid[7] << 8 | guid[6] & 0xF8 | function
