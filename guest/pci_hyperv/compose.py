# SPDX-License-Identifier: MIT
"""Composing an MSI: which CPU to name, what to ask the host for, what to make of its answer.

Runs under interrupt locks and must not sleep; how the host is asked then is in
``mapping_request``. What happens to a mapping later is in ``interrupts``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import MsiComposed, MsiNotComposed
from guest.kernel.faults import OutOfBounds
from guest.kernel.irq_chip import NULL_MSI_MSG, MsiMsg
from guest.kernel.sync import SpinLock
from guest.kernel.vector_matrix import cpus_of, first_cpu
from guest.pci_core.types import irq_data_get_msi_desc
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import CPU_AFFINITY_ALL, IntDesc, InterruptRequest
from guest.pci_hyperv.mapping_request import U32, ComposeCompCtxt, MappingRequest
from guest.pci_hyperv.requests import PciPacket
from protocol.ids import RelId, Vector, VpIndex

if TYPE_CHECKING:
    from guest.kernel.irq import IrqData
    from guest.pci_core.types import MsiDesc

# Of a multi-MSI block: aligned for every count up to 32 and not zero; unmasking sets the real one.
# (Not so on arm64, where unmasking tells the host nothing: open item O25.)
MULTI_MSI_VECTOR = 32


class Compose(MappingRequest):
    """From an interrupt to its message."""

    multi_msi_cpu_lock: SpinLock
    multi_msi_cpu_next: int

    def hv_compose_msi_req_get_cpu(self, affinity: int) -> int:
        """The lowest online CPU of the mask; unmasking sends the real one."""
        lowest = first_cpu(affinity & self.kernel.cpu_online_mask)
        return lowest if lowest >= 0 else len(self.kernel.cpus)

    def online_cpus(self, mask: int) -> list[int]:
        """CPUs of a mask that are online, ascending."""
        return cpus_of(mask & self.kernel.cpu_online_mask)

    async def hv_compose_multi_msi_req_get_cpu(self) -> int:
        """The next online CPU, round robin over all devices.

        A multi-MSI block is mapped once and keeps the physical CPU that the host chose then, so
        blocks are spread here.
        """
        await self.multi_msi_cpu_lock.lock_irqsave()
        online = self.online_cpus((1 << len(self.kernel.cpus)) - 1)
        later = [cpu for cpu in online if cpu > self.multi_msi_cpu_next]
        self.multi_msi_cpu_next = (later or online)[0]
        cpu = self.multi_msi_cpu_next
        await self.multi_msi_cpu_lock.unlock_irqrestore()
        return cpu

    def is_multi_msi(self, msi_desc: MsiDesc) -> bool:
        """Several MSI vectors behind one descriptor."""
        return not msi_desc.is_msix and msi_desc.nvec_used > 1

    def derive_message(
        self, hpdev: HvPciDev, msi_desc: MsiDesc, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        """A later vector of a block: the first one's address, its data plus the index."""
        first = msi_desc.msg
        index = data.irq - msi_desc.irq
        int_desc.address = first.address_lo | first.address_hi << 32
        int_desc.data = first.data + index & U32
        data.chip_data = int_desc
        self.emit_composed(hpdev, data, MULTI_MSI_VECTOR + index, int_desc)
        return message_of(int_desc.address, int_desc.data)

    def emit_composed(self, hpdev: HvPciDev, data: IrqData, vector: int, int_desc: IntDesc) -> None:
        """Say which mapping an interrupt has now."""
        self.kernel.emit(
            MsiComposed(
                hpdev.relid, hpdev.desc.win_slot, data.irq, Vector(vector),
                int_desc.vector_count, int_desc.address, int_desc.data,
            )
        )  # fmt: skip

    async def create_message(
        self, hbus: HvPciBus, hpdev: HvPciDev, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        """Ask the host for a mapping and wait for it."""
        request = await self.interrupt_request(hpdev, data)
        frame = self.kernel.stack_frame("hv_compose_msi_msg")
        comp = frame.own(ComposeCompCtxt(self.kernel))
        packet = frame.own(PciPacket(self.hv_pci_compose_compl, comp))
        failure = await self.ask_for_mapping(hbus, hpdev, request, packet, comp)
        if not failure:
            int_desc.assign(comp.int_desc)
        frame.leave()
        if failure:
            self.kernel.log("err", f"request for interrupt failed: {failure}")
            await self.kernel.kfree(int_desc)
            return self.null_message(hpdev.relid, data, failure)
        data.chip_data = int_desc
        self.emit_composed(hpdev, data, request.vector, int_desc)
        return message_of(int_desc.address, int_desc.data)

    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        """What to ask for."""
        msi_desc = irq_data_get_msi_desc(data)
        if self.is_multi_msi(msi_desc):
            vector, count = MULTI_MSI_VECTOR, msi_desc.nvec_used
            cpu = await self.hv_compose_multi_msi_req_get_cpu()
        else:
            vector, count = self.arch.hv_msi_get_int_vector(data), 1
            cpu = self.hv_compose_msi_req_get_cpu(self.affinity_of(data))
        wslot = hpdev.desc.win_slot
        mode = self.arch.delivery_mode
        mask = self.processor_mask(data)
        return InterruptRequest(wslot, self.vp_of(cpu), vector, count, mode, mask)

    def processor_mask(self, _data: IrqData) -> int:
        """What version 1.1 names: any processor, since its mask has no room for all of them."""
        return CPU_AFFINITY_ALL

    def affinity_of(self, data: IrqData) -> int:
        """The CPUs that the interrupt is aimed at: the effective mask, not what was asked for."""
        return data.effective_affinity

    def vp_of(self, cpu: int) -> VpIndex:
        """hv_cpu_number_to_vp_number(); C reads past its table if no CPU of a mask is online."""
        if cpu >= len(self.kernel.cpus):
            raise OutOfBounds(f"hv_vp_index[{cpu}]")
        return self.kernel.cpus[cpu].vp

    def null_message(self, relid: RelId, data: IrqData, reason: str) -> MsiMsg:
        self.kernel.emit(MsiNotComposed(relid, data.irq, reason))
        return NULL_MSI_MSG


def message_of(address: int, data: int) -> MsiMsg:
    return MsiMsg(address & U32, address >> 32, data)
