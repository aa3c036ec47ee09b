# SPDX-License-Identifier: MIT
"""Guests that work wrongly: registers, interrupts, blocks."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

from msgspec.structs import replace

from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.interrupt_requests import IntDesc, InterruptRequest
from guest.pci_hyperv.mapping_request import ComposeCompCtxt
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import VmbusChannel
from protocol.hypercall import HvInterruptEntry, HvMsiEntry, HvRetargetDeviceInterrupt
from protocol.ids import VpIndex
from protocol.pci_regs import PCI_BASE_ADDRESS_0
from protocol.vpci import (
    CONFIG_BLOCK_BYTES_MAX,
    WRITE_BLOCK_QUIRK_BYTES,
    MessageType,
    PciDeleteInterrupt,
    PciReadBlock,
    PciWriteBlock,
    TranIntDesc,
)
from sim.conformance.guest_cases.scenarios import SECOND
from sim.conformance.wrong_guests.record import WrongGuest, driver

ALL_ONES: Final = 0xFFFF_FFFF
BEYOND_WINDOW: Final = 0x2000
WITHIN_A_BAR: Final = 0x1000  # a bit of an address that no SSD's BAR of 16 KiB has
BETWEEN_BARS: Final = 0x4000  # the bit in which the second SSD's BAR differs from the first's
OTHER_DEVICE: Final = 0x100
NETWORK: Final = 2  # a PCI base class
CAPABILITIES: Final = 0x40
FAR: Final = 0x8_0000  # from one interrupt's address to that of none


class AfterInstall(HvPciDriver):
    """Does something with each function once the bus is at work."""

    async def install(self, hbus: HvPciBus) -> int:
        ret = await super().install(hbus)
        for hpdev in list(hbus.children):
            self.meddle(hbus, hpdev)
        return ret

    def meddle(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        """What is wrong."""


# Registers


class CrookedBar(HvPciDriver):
    def _window_write(self, hbus: HvPciBus, wslot: int, where: int, size: int, value: int) -> int:
        if where == PCI_BASE_ADDRESS_0 and value != ALL_ONES:
            value |= WITHIN_A_BAR
        return super()._window_write(hbus, wslot, where, size, value)


class BarOverBar(HvPciDriver):
    def _window_write(self, hbus: HvPciBus, wslot: int, where: int, size: int, value: int) -> int:
        if where == PCI_BASE_ADDRESS_0 and value != ALL_ONES and wslot == SECOND:
            value &= ~BETWEEN_BARS
        return super()._window_write(hbus, wslot, where, size, value)


class MovesWhileOn(AfterInstall):
    def meddle(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        wslot = hpdev.desc.win_slot
        value = self._window_read(hbus, wslot, PCI_BASE_ADDRESS_0, 4)
        assert value is not None
        self._window_write(hbus, wslot, PCI_BASE_ADDRESS_0, 4, value)


class ReadsCrookedly(AfterInstall):
    def meddle(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        self._window_read(hbus, hpdev.desc.win_slot, CAPABILITIES + 1, 2)


class AlwaysTheFirst(HvPciDriver):
    def _window_read(self, hbus: HvPciBus, wslot: int, where: int, size: int) -> int | None:
        return super()._window_read(hbus, wslot * (wslot != SECOND), where, size)

    def _window_write(self, hbus: HvPciBus, wslot: int, where: int, size: int, value: int) -> int:
        return super()._window_write(hbus, wslot * (wslot != SECOND), where, size, value)


class WritesIds(AfterInstall):
    def meddle(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        self._window_write(hbus, hpdev.desc.win_slot, 0, 4, 0)


class ReadsBeyond(AfterInstall):
    def meddle(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        self.kernel.port.mmio_read(hbus.cfg_addr + BEYOND_WINDOW, 4)


# Interrupts


class AimsAtNothing(HvPciDriver):
    async def retarget(self, hbus: HvPciBus, control: int, payload: bytes) -> int:
        call = HvRetargetDeviceInterrupt.parse(payload)
        entry = HvInterruptEntry(call.int_entry.source, 0, HvMsiEntry(0xFEE0_0FF0, 0x55))
        await super().retarget(hbus, control, replace(call, int_entry=entry).build())
        return await super().retarget(hbus, control, payload)


class AimsAnothers(HvPciDriver):
    async def retarget(self, hbus: HvPciBus, control: int, payload: bytes) -> int:
        call = HvRetargetDeviceInterrupt.parse(payload)
        other = replace(call, device_id=call.device_id ^ OTHER_DEVICE)
        await super().retarget(hbus, control, other.build())
        return await super().retarget(hbus, control, payload)


class AimsAtCpus(HvPciDriver):
    """Banks with the bits of CPUs in place of those of virtual processors."""

    async def retarget(self, hbus: HvPciBus, control: int, payload: bytes) -> int:
        call = HvRetargetDeviceInterrupt.parse(payload)
        if not call.int_target.set_words:
            return await super().retarget(hbus, control, payload)
        head, bank, *more = call.int_target.set_words
        cpus = (cpu.index for cpu in self.kernel.cpus if bank >> cpu.vp & 1)
        bank = sum(1 << cpu for cpu in cpus)
        target = replace(call.int_target, set_words=(head, bank, *more))
        return await super().retarget(hbus, control, replace(call, int_target=target).build())


class NamesCpus(HvPciDriver):
    def vp_of(self, cpu: int) -> VpIndex:
        return VpIndex(cpu)


class OtherAddress(HvPciDriver):
    """Of every interrupt of a NIC but the first: an SSD's driver would not come up."""

    first_irq: int | None = None

    async def create_message(
        self, hbus: HvPciBus, hpdev: HvPciDev, data: IrqData, int_desc: IntDesc
    ) -> MsiMsg:
        msg = await super().create_message(hbus, hpdev, data, int_desc)
        if self.first_irq is None:
            self.first_irq = data.irq
        if data.irq == self.first_irq or hpdev.desc.base_class != NETWORK:
            return msg
        return MsiMsg(msg.address_lo + FAR, msg.address_hi, msg.data)


def delete(wslot: int, address: int) -> bytes:
    int_desc = TranIntDesc(vector_count=1, address=address)
    return PciDeleteInterrupt(wslot=wslot, int_desc=int_desc).build()


class DeletesWhatIsNot(HvPciDriver):
    async def ask_for_mapping(
        self,
        hbus: HvPciBus,
        hpdev: HvPciDev,
        request: InterruptRequest,
        packet: PciPacket,
        comp: ComposeCompCtxt,
    ) -> str:
        failure = await super().ask_for_mapping(hbus, hpdev, request, packet, comp)
        if failure:
            await self.send_message(hbus.hdev.channel, delete(hpdev.desc.win_slot, 0))
        return failure


class DeletesTwice(HvPciDriver):
    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        message = PciDeleteInterrupt(wslot=hpdev.desc.win_slot, int_desc=int_desc.wire())
        await self.send_message(hpdev.hbus.hdev.channel, message.build())
        await super().hv_int_desc_free(hpdev, int_desc)


class DeletesNothing(HvPciDriver):
    """While it removes an ejected function."""

    ejecting = False

    async def remove_ejected_pci_dev(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        self.ejecting = True
        await super().remove_ejected_pci_dev(hbus, hpdev)
        self.ejecting = False

    async def hv_int_desc_free(self, hpdev: HvPciDev, int_desc: IntDesc) -> None:
        if self.ejecting:
            await self.kernel.kfree(int_desc)
        else:
            await super().hv_int_desc_free(hpdev, int_desc)


class OneOfMany(HvPciDriver):
    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        return (await super().interrupt_request(hpdev, data))._replace(vector_count=1)


class AimsOnce(HvPciDriver):
    aimed: frozenset[HvMsiEntry] = frozenset()

    async def retarget(self, hbus: HvPciBus, control: int, payload: bytes) -> int:
        entry = HvRetargetDeviceInterrupt.parse(payload).int_entry.msi_entry
        if entry in self.aimed:
            return 0
        self.aimed |= {entry}
        return await super().retarget(hbus, control, payload)


# Blocks


class AsksTooMuch(HvPciDriver):
    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        if payload.startswith(int(MessageType.PCI_READ_BLOCK).to_bytes(4, "little")):
            message = PciReadBlock.parse(payload)
            if message.bytes_requested == CONFIG_BLOCK_BYTES_MAX:
                payload = replace(message, bytes_requested=CONFIG_BLOCK_BYTES_MAX + 4).build()
        return super().send_request(channel, payload, packet)


class CountsTheQuirk(HvPciDriver):
    def send_request(
        self, channel: VmbusChannel, payload: bytes, packet: PciPacket
    ) -> Awaitable[int]:
        if payload.startswith(int(MessageType.PCI_WRITE_BLOCK).to_bytes(4, "little")):
            message = PciWriteBlock.parse(payload)
            count = message.byte_count + WRITE_BLOCK_QUIRK_BYTES
            payload = replace(message, byte_count=count).build()
        return super().send_request(channel, payload, packet)


WRONG: Final[tuple[WrongGuest, ...]] = (
    driver("bars-aligned", "writes an address into the middle of a BAR", CrookedBar),
    driver("bars-apart", "puts the second function's BARs over the first's", BarOverBar),
    driver("bars-moved-while-off", "writes a BAR while it decodes", MovesWhileOn),
    driver("configuration-accesses-aligned", "reads two bytes at an odd offset", ReadsCrookedly),
    driver("function-selected", "takes the first function for the second", AlwaysTheFirst),
    driver("ids-not-written", "writes vendor and device", WritesIds),
    driver("accesses-inside-the-window", "reads behind the window", ReadsBeyond),
    driver("retarget-names-an-interrupt", "aims an interrupt that is none", AimsAtNothing),
    driver("retarget-names-the-function", "aims an interrupt of another bus", AimsAnothers),
    driver("retarget-names-virtual-processors", "aims at its CPU numbers", AimsAtCpus),
    driver("create-names-virtual-processors", "creates for its CPU numbers", NamesCpus),
    driver("message-used-as-given", "has a device write elsewhere than it was told", OtherAddress),
    driver("refused-interrupt-not-deleted", "deletes what was refused", DeletesWhatIsNot),
    driver("interrupt-deleted-once", "deletes every interrupt twice", DeletesTwice),
    driver("interrupts-deleted-at-eject", "deletes nothing when it is to eject", DeletesNothing),
    driver("multi-msi-is-one-block", "asks for one vector of a block", OneOfMany),
    driver("move-is-told", "aims each interrupt only once", AimsOnce),
    driver("block-sizes", "asks for 132 bytes of a block", AsksTooMuch),
    driver("block-written-as-counted", "counts the four bytes behind a block", CountsTheQuirk),
)
