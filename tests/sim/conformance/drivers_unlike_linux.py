# SPDX-License-Identifier: MIT
"""Drivers that do one thing otherwise than Linux, where another guest might do so.

What no guest may do is in ``sim.conformance.wrong_guests``; what concerns interrupts or VMBus is in
the modules beside this one. Knows no case.
"""

from __future__ import annotations

from collections.abc import Sequence
from errno import ETIMEDOUT

from msgspec.structs import replace

from guest.kernel.sync import Completion
from guest.pci_core.types import PciDev
from guest.pci_hyperv.assignment import HIGHEST_SLOT
from guest.pci_hyperv.blocks import HvReadConfigCompl
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.channel import Incoming
from guest.pci_hyperv.device import HvPciDev, HvPciDevDescription
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.messages import bus_message, child_message
from guest.pci_hyperv.relations import HvDrState
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from guest.vmbus.channel import HvDevice
from protocol.pci_regs import PCI_INTERRUPT_LINE, PCI_INTERRUPT_PIN, PCI_ROM_ADDRESS, PCI_STATUS
from protocol.ring import Packet
from protocol.status import STATUS_REVISION_MISMATCH
from protocol.versions import Dialect
from protocol.vpci import CONFIG_BLOCK_BYTES_MAX, MessageType, PciBusRelations2, PciResponse

M = MessageType
PATIENCE_MS = 60_000


class LooksBeforeAssigning(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        self._window_read(hbus, 0, PCI_STATUS, 2)
        return await super().assign_resources(hbus)


class TakesShortForEmpty(HvPciDriver):
    def incoming(
        self, hbus: HvPciBus, record: type[Incoming], packet: Packet, what: str
    ) -> Incoming | None:
        message = super().incoming(hbus, record, packet, what)
        if message is None and record is PciBusRelations2:
            return record()
        return message


class TakesNothingAfterShort(HvPciDriver):
    short = False

    def too_small(self, hbus: HvPciBus, what: str) -> None:
        super().too_small(hbus, what)
        self.short = True

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        if not self.short:
            await super().take_message(hbus, packet)


class WritesRom(HvPciDriver):
    def _write_now(self, hpdev: HvPciDev, where: int, size: int, value: int) -> int:
        if where == PCI_ROM_ADDRESS:
            return self._window_write(hpdev.hbus, hpdev.desc.win_slot, where, size, value)
        return super()._write_now(hpdev, where, size, value)


class AsksForRom(HvPciDriver):
    asks_for = PCI_ROM_ADDRESS

    def _read_now(self, hpdev: HvPciDev, where: int, size: int) -> int | None:
        if where == self.asks_for:
            return self._window_read(hpdev.hbus, hpdev.desc.win_slot, where, size)
        return super()._read_now(hpdev, where, size)


class AsksForPin(AsksForRom):
    asks_for = PCI_INTERRUPT_PIN


class KnowsItsLatencies(HvPciDriver):
    def _read_now(self, hpdev: HvPciDev, where: int, size: int) -> int | None:
        return 0 if where == PCI_INTERRUPT_LINE else super()._read_now(hpdev, where, size)


class ObeysWhileLeaving(HvPciDriver):
    async def hv_pci_start_relations_work(self, hbus: HvPciBus, dr: HvDrState) -> int:
        if hbus.state is HvPciBusState.REMOVING:
            for desc in dr.func:
                message = child_message(M.PCI_QUERY_RESOURCE_REQUIREMENTS, desc.win_slot)
                await self.send_message(hbus.hdev.channel, message)
        return await super().hv_pci_start_relations_work(hbus, dr)


class GivesUp(HvPciDriver):
    async def wait_for_response(self, _hdev: HvDevice, comp: Completion) -> int:
        return 0 if await comp.wait_timeout(PATIENCE_MS) else -ETIMEDOUT


class Chatters(HvPciDriver):
    """Says something while it waits for an answer."""

    async def wait_for_response(self, hdev: HvDevice, comp: Completion) -> int:
        if await comp.wait_timeout(PATIENCE_MS):
            return 0
        await self.send_message(hdev.channel, bus_message(M.PCI_QUERY_BUS_RELATIONS))
        return await super().wait_for_response(hdev, comp)


class ReleasesFromBelow(HvPciDriver):
    async def hv_send_resources_released(self, hdev: HvDevice) -> int:
        hbus = hv_get_drvdata(hdev)
        for wslot in sorted(hpdev.desc.win_slot for hpdev in hbus.children):
            message = child_message(M.PCI_RESOURCES_RELEASED, wslot)
            await self.send_message(hdev.channel, message)
        return 0


class ReleasesLater(HvPciDriver):
    """It leaves D0 first."""

    async def release_before_retry(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        ret = await self._leave_d0(hdev)
        hbus.wslot_res_allocated = HIGHEST_SLOT
        return ret or await self.hv_send_resources_released(hdev)


class RetriesAnyway(HvPciDriver):
    async def release_before_retry(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        await super().release_before_retry(hdev, hbus)
        return 0


class NeverRetries(HvPciDriver):
    async def release_before_retry(self, _hdev: HvDevice, _hbus: HvPciBus) -> int:
        return -1


class ContentWithAnyList(HvPciDriver):
    async def hv_pci_query_relations(self, hdev: HvDevice) -> int:
        if hv_get_drvdata(hdev).children.empty():
            return await super().hv_pci_query_relations(hdev)
        return await self.send_message(hdev.channel, bus_message(M.PCI_QUERY_BUS_RELATIONS))


class DropsEarlyLists(HvPciDriver):
    async def hv_pci_start_relations_work(self, hbus: HvPciBus, dr: HvDrState) -> int:
        if hbus.dialect is None:
            return -1
        return await super().hv_pci_start_relations_work(hbus, dr)


class IgnoresEmptyLists(HvPciDriver):
    async def _devices_present(self, hbus: HvPciBus, func: tuple[HvPciDevDescription, ...]) -> None:
        if func:
            await super()._devices_present(hbus, func)


class KnowsItsFunctions(HvPciDriver):
    """It asks for no list if it has had one."""

    async def hv_pci_query_relations(self, hdev: HvDevice) -> int:
        if not hv_get_drvdata(hdev).children.empty():
            return 0
        return await super().hv_pci_query_relations(hdev)


class LeavesBarsToTheCore(HvPciDriver):
    resuming = False

    async def hv_pci_resume(self, hdev: HvDevice) -> int:
        self.resuming = True
        return await super().hv_pci_resume(hdev)

    async def prepopulate_bars(self, hbus: HvPciBus) -> None:
        if not self.resuming:
            await super().prepopulate_bars(hbus)


class LeavesOpenAfterFailure(HvPciDriver):
    """After another failure than a mismatch of versions."""

    failed = False

    async def _offer_versions(
        self, hdev: HvDevice, versions: Sequence[Dialect], packet: PciPacket, comp_pkt: HvPciCompl
    ) -> int:
        ret = await super()._offer_versions(hdev, versions, packet, comp_pkt)
        self.failed = ret < 0 and comp_pkt.completion_status != STATUS_REVISION_MISMATCH
        return ret

    async def close(self, hbus: HvPciBus) -> None:
        if not self.failed:
            await super().close(hbus)


class GoesBySerial(HvPciDriver):
    async def unmark_reported(self, hbus: HvPciBus, desc: HvPciDevDescription) -> bool:
        known = [hpdev for hpdev in hbus.children if hpdev.desc.ser == desc.ser]
        for hpdev in known:
            hpdev.reported_missing = False
        return bool(known)


class GoesByIds(HvPciDriver):
    async def unmark_reported(self, hbus: HvPciBus, desc: HvPciDevDescription) -> bool:
        known = [hpdev for hpdev in hbus.children if hpdev.desc.d_id == desc.d_id]
        for hpdev in known:
            hpdev.reported_missing = False
        return bool(known)


class GoesByRevision(HvPciDriver):
    async def unmark_reported(self, hbus: HvPciBus, desc: HvPciDevDescription) -> bool:
        if not any(hpdev.desc.rev == desc.rev for hpdev in hbus.children):
            return False
        return await super().unmark_reported(hbus, desc)


class TellsNoDriver(HvPciDriver):
    async def invalidate_block(self, _hpdev: HvPciDev, _block_mask: int) -> None:
        pass


class TakesAnySuccess(HvPciDriver):
    """Every status of a block that is not negative is 0 to it."""

    async def hv_pci_read_config_compl(
        self, context: HvReadConfigCompl, packet: Packet, size: int
    ) -> None:
        await super().hv_pci_read_config_compl(context, _succeeded(packet), size)

    async def hv_pci_write_config_compl(
        self, context: HvPciCompl, packet: Packet, size: int
    ) -> None:
        await super().hv_pci_write_config_compl(context, _succeeded(packet), size)


def _succeeded(packet: Packet) -> Packet:
    status = PciResponse.parse(packet.payload).status
    return replace(packet, payload=bytes(4) + packet.payload[4:]) if status > 0 else packet


class CutsBlocks(HvPciDriver):
    async def hv_write_config_block(self, pdev: PciDev, block_id: int, data: bytes) -> int:
        return await super().hv_write_config_block(pdev, block_id, data[:CONFIG_BLOCK_BYTES_MAX])
