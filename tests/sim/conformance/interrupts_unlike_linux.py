# SPDX-License-Identifier: MIT
"""Drivers that have interrupts created, or give them back, otherwise than Linux. Knows no case."""

from __future__ import annotations

from guest.kernel import ops
from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.pci_core.types import MsiDesc
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.interrupt_requests import IntDesc, InterruptRequest
from protocol.ids import RelId
from protocol.vpci import PciDeleteInterrupt

LOCAL_APIC = 0xFEE0_0000


class NamesNextVector(HvPciDriver):
    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        request = await super().interrupt_request(hpdev, data)
        return request._replace(vector=request.vector + 1)


class NamesHeldVector(HvPciDriver):
    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        request = await super().interrupt_request(hpdev, data)
        return request._replace(vector=data.vector)


class CreatesForEach(HvPciDriver):
    """Of a block, too: the whole block for each of its vectors."""

    def may_reuse(self, _msi_desc: object) -> bool:
        return False


class WritesMessage(HvPciDriver):
    def null_message(self, relid: RelId, data: IrqData, reason: str) -> MsiMsg:
        return super().null_message(relid, data, reason)._replace(address_lo=LOCAL_APIC)


class LooksOn(HvPciDriver):
    async def has_gone(self, hpdev: HvPciDev) -> bool:
        await super().has_gone(hpdev)
        return False


class NeverLooks(HvPciDriver):
    async def has_gone(self, _hpdev: HvPciDev) -> bool:
        return False


class DeletesForEach(HvPciDriver):
    """A block: once for each of its vectors."""

    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        once_more = range(int_desc.vector_count - 1)
        for _ in once_more:
            message = PciDeleteInterrupt(wslot=hpdev.desc.win_slot, int_desc=int_desc.wire())
            await self.send_message(hpdev.hbus.hdev.channel, message.build())
        await super().hv_int_desc_free(hpdev, int_desc)


class DeletesEach(HvPciDriver):
    """A block: each of its vectors by itself."""

    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        int_desc.vector_count = 1
        await super().hv_int_desc_free(hpdev, int_desc)


class KeepsBlocks(HvPciDriver):
    async def hv_int_desc_free(self, _hpdev: HvPciDev, _int_desc: IntDesc) -> None:
        pass


class CountsInTwos(HvPciDriver):
    def derive_message(
        self, hpdev: HvPciDev, msi_desc: MsiDesc, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        message = super().derive_message(hpdev, msi_desc, data, int_desc)
        int_desc.data += data.irq - msi_desc.irq
        return message


class LooksRarely(HvPciDriver):
    async def has_gone(self, hpdev: HvPciDev) -> bool:
        await ops.udelay(self.kernel, 900)
        return await super().has_gone(hpdev)


class LooksOnce(HvPciDriver):
    """It then waits for the answer without another look at the function."""

    looked = False

    async def has_gone(self, hpdev: HvPciDev) -> bool:
        if self.looked:
            return False
        self.looked = True
        return await super().has_gone(hpdev)
