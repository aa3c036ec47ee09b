# SPDX-License-Identifier: MIT
"""CREATE_INTERRUPT in its three forms, and what the guest remembers of the answer. No state.

Which form belongs to which version is the dialect's business: it names the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from guest.kernel.memory import Allocated
from protocol.vpci import (
    PROCESSOR_ARRAY_ENTRIES,
    HvMsiDesc,
    HvMsiDesc2,
    HvMsiDesc3,
    MessageType,
    PciCreateInterrupt,
    PciCreateInterrupt2,
    PciCreateInterrupt3,
    TranIntDesc,
)

if TYPE_CHECKING:
    from protocol.ids import SlotNumber, VpIndex

CPU_AFFINITY_ALL = 0xFFFF_FFFF_FFFF_FFFF
REQUESTS_KEPT = 1024  # of each form: devices of one kind ask for much the same, again and again
# Forms 1 and 2 hold x86 vectors only; C casts to u8 there, an SPI too (open item O26).
ONE_BYTE_VECTOR = 0xFF


class InterruptRequest(NamedTuple):
    """What an MSI needs: ``vector_count`` contiguous vectors, delivered to one VP for now.

    The VP is a dummy: unmasking retargets the interrupt. It still matters, because the host picks
    the physical CPU by it. Version 1.1 has no list; it names ``processors``, a mask of VPs.
    """

    wslot: SlotNumber
    vp: VpIndex
    vector: int
    vector_count: int
    delivery_mode: int
    processors: int = CPU_AFFINITY_ALL


@lru_cache(maxsize=REQUESTS_KEPT)
def hv_compose_msi_req_v1(request: InterruptRequest) -> bytes:
    """vPCI 1.1: a mask of processors."""
    int_desc = HvMsiDesc(
        vector=request.vector & ONE_BYTE_VECTOR,
        delivery_mode=request.delivery_mode,
        vector_count=request.vector_count,
        cpu_mask=request.processors,
    )
    return PciCreateInterrupt(wslot=request.wslot, int_desc=int_desc).build()


def _one_processor(vp: VpIndex) -> tuple[int, ...]:
    return (vp,) + (0,) * (PROCESSOR_ARRAY_ENTRIES - 1)


@lru_cache(maxsize=REQUESTS_KEPT)
def hv_compose_msi_req_v2(request: InterruptRequest) -> bytes:
    """vPCI 1.2: a list of processors; just one."""
    int_desc = HvMsiDesc2(
        vector=request.vector & ONE_BYTE_VECTOR,
        delivery_mode=request.delivery_mode,
        vector_count=request.vector_count,
        processor_count=1,
        processor_array=_one_processor(request.vp),
    )
    return PciCreateInterrupt2(wslot=request.wslot, int_desc=int_desc).build()


@lru_cache(maxsize=REQUESTS_KEPT)
def hv_compose_msi_req_v3(request: InterruptRequest) -> bytes:
    """vPCI 1.4: as version 2, with a vector of 32 bits."""
    int_desc = HvMsiDesc3(
        vector=request.vector,
        delivery_mode=request.delivery_mode,
        vector_count=request.vector_count,
        processor_count=1,
        processor_array=_one_processor(request.vp),
    )
    return PciCreateInterrupt3(wslot=request.wslot, int_desc=int_desc).build()


COMPOSERS: Mapping[int, Callable[[InterruptRequest], bytes]] = {
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE: hv_compose_msi_req_v1,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE2: hv_compose_msi_req_v2,
    MessageType.PCI_CREATE_INTERRUPT_MESSAGE3: hv_compose_msi_req_v3,
}


class IntDesc(Allocated):
    """``struct tran_int_desc`` on the heap: an interrupt's mapping, hung onto its chip data.

    ``vector_count`` 0 marks a vector of a multi-MSI block that has no mapping of its own.
    """

    __slots__ = ("address", "data", "reserved", "vector_count")

    def __init__(self) -> None:
        self.reserved = 0
        self.vector_count = 0
        self.data = 0
        self.address = 0

    def assign(self, wire: TranIntDesc) -> None:
        """Take over what the host answered."""
        self.reserved = wire.reserved
        self.vector_count = wire.vector_count
        self.data = wire.data
        self.address = wire.address

    def wire(self) -> TranIntDesc:
        """The same as a record, for DELETE_INTERRUPT."""
        return TranIntDesc(self.reserved, self.vector_count, self.data, self.address)
