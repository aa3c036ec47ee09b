# SPDX-License-Identifier: MIT
"""Message-signalled interrupts: mappings asked of the host, given back, masked and retargeted.

Composing runs under interrupt locks. How a CPU is finally chosen belongs to the architecture policy
(``arch_x86``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guest.events import MsiFreed
from guest.kernel.faults import NullDereference
from guest.kernel.irq_chip import MsiMsg
from guest.kernel.memory import GFP_ATOMIC
from guest.pci_core.msi_regs import pci_msi_mask_irq, pci_msi_unmask_irq
from guest.pci_core.types import irq_data_get_msi_desc
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.compose import Compose, message_of
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.interrupt_requests import IntDesc
from guest.pci_hyperv.mapping_request import U32
from protocol.vpci import PciDeleteInterrupt

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from guest.kernel.irq import IrqData
    from guest.pci_core.types import MsiDesc, PciDev

# sizeof(struct hv_retarget_device_interrupt), of a set as far as its mask of banks.
_CLEARED_BYTES: Final = 64


class Interrupts(Compose):
    """The MSI controller of every vPCI bus."""

    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        """Give a mapping back to the host; a vector inside a multi-MSI block has none.

        Sent in the first form at every version, and not sent again if the ring is full (open item
        O14).
        """
        wslot = hpdev.desc.win_slot
        if int_desc.vector_count:
            message = PciDeleteInterrupt(wslot=wslot, int_desc=int_desc.wire())
            await self.send_message(hpdev.hbus.hdev.channel, message.build())
        self.kernel.emit(MsiFreed(hpdev.relid, wslot, int_desc.address, int_desc.data))
        await self.kernel.kfree(int_desc)

    async def hv_msi_free(self, data: IrqData) -> None:
        """``msi_domain_ops.msi_free``: the interrupt is given up."""
        int_desc = data.chip_data
        if int_desc is None:
            return
        assert isinstance(int_desc, IntDesc)
        pdev = self.pci_dev_of(data)
        data.chip_data = None
        hpdev = await self.get_pcichild_wslot(
            self.bus_of(pdev.bus), self.devfn_to_wslot(pdev.devfn)
        )
        if hpdev is None:
            await self.kernel.kfree(int_desc)
            return
        await self.hv_int_desc_free(hpdev, int_desc)
        await self.put_pcichild(hpdev)

    async def hv_irq_mask(self, data: IrqData) -> None:
        """``irq_chip.irq_mask``: in the device, then below."""
        await pci_msi_mask_irq(data)
        self.pci.irqs.vectors.irq_mask(data)

    async def hv_irq_unmask(self, data: IrqData) -> None:
        """``irq_chip.irq_unmask``: retarget, then unmask below and in the device, come what may
        (O17)."""
        await self.arch.hv_arch_irq_unmask(self, data)
        self.pci.irqs.vectors.irq_unmask(data)
        await pci_msi_unmask_irq(data)

    def hv_irq_retrigger(self, data: IrqData) -> bool:
        """``irq_chip.irq_retrigger``, as irq_chip_retrigger_hierarchy() finds it below."""
        self.pci.irqs.vectors.retrigger(data)
        return True

    def has_mapping(self, data: IrqData) -> bool:
        """Whether there is anything to aim: composing may have failed."""
        return data.chip_data is not None

    def mapping_of(self, data: IrqData) -> IntDesc:
        """The interrupt's mapping; C dereferences NULL if there is none."""
        if data.chip_data is None:
            raise NullDereference(f"chip_data of irq {data.irq} is NULL")
        assert isinstance(data.chip_data, IntDesc)
        return data.chip_data

    def msi_entry(self, data: IrqData) -> tuple[int, int]:
        """(address, data) by which the hypervisor knows the interrupt: its own, not its block's."""
        int_desc = self.mapping_of(data)
        return int_desc.address & U32, int_desc.data

    async def retarget(self, _hbus: HvPciBus, control: int, payload: bytes) -> int:
        """HVCALL_RETARGET_INTERRUPT: its status.

        The input lies in a page of this CPU, and nobody else gets at it while interrupts are off.
        """
        await self.kernel.local_irq_save()
        page = self.kernel.current_cpu().input_page
        page[:_CLEARED_BYTES] = bytes(_CLEARED_BYTES)
        page[: len(payload)] = payload
        status = self.kernel.hypercall(control, payload).status
        await self.kernel.local_irq_restore()
        return status

    async def hv_compose_msi_msg(self, data: IrqData) -> MsiMsg:
        """``irq_chip.irq_compose_msi_msg``: address and data for the device, zeroes on failure.

        An interrupt that has a mapping already gives it back first; not so in a multi-MSI block,
        where the first vector's mapping serves all.
        """
        msi_desc = irq_data_get_msi_desc(data)
        multi_msi = self.is_multi_msi(msi_desc)
        if isinstance(data.chip_data, IntDesc) and self.may_reuse(msi_desc):
            return message_of(data.chip_data.address, data.chip_data.data)
        pdev = msi_desc.pci_dev
        hbus = self.bus_of(pdev.bus)
        relid = hbus.relid
        hpdev = await self.get_pcichild_wslot(hbus, self.devfn_to_wslot(pdev.devfn))
        if hpdev is None:
            return self.null_message(relid, data, "no such function")
        if isinstance(data.chip_data, IntDesc):
            old, data.chip_data = data.chip_data, None
            await self.hv_int_desc_free(hpdev, old)
        int_desc = await self.new_int_desc()
        if int_desc is None:
            msg = self.null_message(relid, data, "out of memory")
        elif multi_msi and msi_desc.irq != data.irq:
            msg = self.derive_message(hpdev, msi_desc, data, int_desc)
        else:
            msg = await self.create_message(hbus, hpdev, data, int_desc)
        await self.put_pcichild(hpdev)
        return msg

    def new_int_desc(self) -> Awaitable[IntDesc | None]:
        """Room for a mapping; taken under interrupt locks, so without sleeping."""
        return self.kernel.kzalloc(IntDesc, GFP_ATOMIC)

    def may_reuse(self, msi_desc: MsiDesc) -> bool:
        """Only a multi-MSI block keeps its mapping when it is composed again."""
        return self.is_multi_msi(msi_desc)

    def pci_dev_of(self, data: IrqData) -> PciDev:
        """msi_desc_to_pci_dev()."""
        return irq_data_get_msi_desc(data).pci_dev


class HvMsiChip:
    """``hv_msi_irq_chip`` and ``hv_msi_ops`` under the PCI core's names."""

    __slots__ = (
        "compose_msi_msg", "irq_mask", "irq_retrigger", "irq_unmask", "msi_free", "name"
    )  # fmt: skip

    def __init__(self, driver: Interrupts) -> None:
        self.name = "Hyper-V PCIe MSI"
        self.compose_msi_msg = driver.hv_compose_msi_msg
        self.irq_mask = driver.hv_irq_mask
        self.irq_unmask = driver.hv_irq_unmask
        self.irq_retrigger = driver.hv_irq_retrigger
        self.msi_free = driver.hv_msi_free
