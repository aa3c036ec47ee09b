# SPDX-License-Identifier: MIT
"""Typed identifiers of the field. Knows no message and no role.

Each is an ``int`` on the wire or in a register; the type says which numbers may meet. A VP index
(the hypervisor's), a CPU number (Linux's) and a physical CPU are three different things.
"""

from typing import NewType

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
Vector = NewType("Vector", int)  # x86 interrupt vector


def devfn_to_wslot(devfn: Devfn) -> SlotNumber:
    """Linux devfn to the wire's slot number (wire-constants: slot_encoding)."""
    return SlotNumber(((devfn >> 3) & 0x1F) | ((devfn & 7) << 5))


def wslot_to_devfn(wslot: SlotNumber) -> Devfn:
    """The wire's slot number to Linux's devfn; reserved bits above 7 are ignored."""
    return Devfn(((wslot & 0x1F) << 3) | ((wslot >> 5) & 7))
