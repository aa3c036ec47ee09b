# SPDX-License-Identifier: MIT
"""Guests that come up wrongly: versions, lists, power, resources."""

from __future__ import annotations

from collections.abc import Sequence
from errno import EPROTO
from typing import Final

from guest.kernel.lists import ListHead
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState, hv_get_drvdata
from guest.pci_hyperv.channel import Incoming
from guest.pci_hyperv.device import HvPciDev, HvPciDevDescription
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.messages import (
    bus_message,
    child_message,
    ejection_complete,
    resources_assigned,
)
from guest.pci_hyperv.requests import HvPciCompl, PciPacket
from guest.vmbus.channel import ChannelState, HvDevice
from protocol.ids import SlotNumber
from protocol.ring import Packet
from protocol.status import STATUS_REVISION_MISMATCH
from protocol.versions import Dialect
from protocol.vpci import (
    HvMsiDesc3,
    MessageType,
    PciBusD0Entry,
    PciBusRelations,
    PciBusRelations2,
    PciCreateInterrupt3,
    PciFunctionDescription2,
)
from sim.conformance.wrong_guests.record import WrongGuest, driver

M = MessageType
NOBODYS_SLOT: Final = SlotNumber(31)
OFF_THE_PAGE: Final = 0x10
RING_UNIT: Final = 8  # the ring pads packets to it
STRIDE: Final = 26  # bytes of an entry as FreeBSD reads it; there are 28
BLOCK: Final = 4
ROOM: Final = 16  # for lists


def children(hbus: HvPciBus) -> list[HvPciDev]:
    return list(hbus.children)


# Versions


class ListFirst(HvPciDriver):
    """Where there is only one version to offer."""

    async def hv_pci_protocol_negotiation(self, hdev: HvDevice, versions: Sequence[Dialect]) -> int:
        if len(versions) == 1:
            await self.send_message(hdev.channel, bus_message(M.PCI_QUERY_BUS_RELATIONS))
        return await super().hv_pci_protocol_negotiation(hdev, versions)


class AsksAgain(HvPciDriver):
    async def _offer_versions(
        self, hdev: HvDevice, versions: Sequence[Dialect], packet: PciPacket, comp_pkt: HvPciCompl
    ) -> int:
        twice = [dialect for dialect in versions for _ in range(2)]
        return await super()._offer_versions(hdev, twice, packet, comp_pkt)


class AsksOnWithout(HvPciDriver):
    async def _offer_versions(
        self, hdev: HvDevice, versions: Sequence[Dialect], packet: PciPacket, comp_pkt: HvPciCompl
    ) -> int:
        ret = await super()._offer_versions(hdev, versions, packet, comp_pkt)
        if ret == -EPROTO and comp_pkt.completion_status == STATUS_REVISION_MISMATCH:
            await self.send_message(hdev.channel, bus_message(M.PCI_QUERY_BUS_RELATIONS))
        return ret


class LeavesItOpen(HvPciDriver):
    async def close(self, hbus: HvPciBus) -> None:
        if hbus.dialect is not None:
            await super().close(hbus)


class AnyAnswerWillDo(HvPciDriver):
    async def _offer_versions(
        self, hdev: HvDevice, versions: Sequence[Dialect], packet: PciPacket, comp_pkt: HvPciCompl
    ) -> int:
        ret = await super()._offer_versions(hdev, versions, packet, comp_pkt)
        if ret == -EPROTO and comp_pkt.completion_status != STATUS_REVISION_MISMATCH:
            hv_get_drvdata(hdev).dialect = versions[0]
            return 0
        return ret


# Lists


class AsksForNobody(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        message = child_message(M.PCI_QUERY_RESOURCE_REQUIREMENTS, NOBODYS_SLOT)
        await self.send_message(hbus.hdev.channel, message)
        return await super().assign_resources(hbus)


class ToTheByte(HvPciDriver):
    def incoming(
        self, hbus: HvPciBus, record: type[Incoming], packet: Packet, what: str
    ) -> Incoming | None:
        message = super().incoming(hbus, record, packet, what)
        if isinstance(message, PciBusRelations | PciBusRelations2):
            left = len(packet.payload) - len(message.build())
            if left >= RING_UNIT:
                return None
        return message


class OtherStride(HvPciDriver):
    async def hv_pci_devices_present2(self, hbus: HvPciBus, relations: PciBusRelations2) -> None:
        entries = b"".join(entry.build() for entry in relations.func) + bytes(STRIDE)
        read = (entries[STRIDE * place :] for place in range(len(relations.func)))
        func = tuple(PciFunctionDescription2.parse(entry) for entry in read)
        await super().hv_pci_devices_present2(hbus, PciBusRelations2(func=func))


class FallsThrough(HvPciDriver):
    async def hv_pci_devices_present2(self, hbus: HvPciBus, relations: PciBusRelations2) -> None:
        await super().hv_pci_devices_present2(hbus, relations)
        hpdev = await self.get_pcichild_wslot(hbus, relations.device_count)
        if hpdev is not None:
            await self.hv_pci_eject_device(hpdev)
            await self.put_pcichild(hpdev)


class RoomForFew(HvPciDriver):
    """It takes so many lists and not one more."""

    taken = 0

    async def _devices_present(self, hbus: HvPciBus, func: tuple[HvPciDevDescription, ...]) -> None:
        self.taken += 1
        if self.taken <= ROOM:
            await super()._devices_present(hbus, func)


class RemovesNothing(HvPciDriver):
    async def collect_missing(self, hbus: HvPciBus) -> ListHead[HvPciDev]:
        return ListHead("removed")


class AnswersLists(HvPciDriver):
    async def delete_missing(self, removed: ListHead[HvPciDev]) -> None:
        for hpdev in removed:
            message = ejection_complete(hpdev.desc.win_slot)
            await self.send_message(hpdev.hbus.hdev.channel, message)
        await super().delete_missing(removed)


class AssignsAtEveryList(HvPciDriver):
    async def announce_relations(self, hbus: HvPciBus) -> None:
        assert hbus.dialect is not None
        if hbus.state is HvPciBusState.INSTALLED:
            for hpdev in children(hbus):
                message = resources_assigned(hbus.dialect.resources_assigned, hpdev.desc.win_slot)
                await self.send_message(hbus.hdev.channel, message)
        await super().announce_relations(hbus)


# Power


def d0_entry(hbus: HvPciBus, offset: int = 0) -> bytes:
    assert hbus.mem_config is not None
    return PciBusD0Entry(mmio_base=hbus.mem_config.start + offset).build()


class EntersTwice(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        await self.send_message(hbus.hdev.channel, d0_entry(hbus))
        return await super().assign_resources(hbus)


class CrookedWindow(HvPciDriver):
    async def enter_d0(self, hbus: HvPciBus) -> int:
        await self.send_message(hbus.hdev.channel, d0_entry(hbus, OFF_THE_PAGE))
        return await super().enter_d0(hbus)


class AssignsBeforeD0(HvPciDriver):
    async def enter_d0(self, hbus: HvPciBus) -> int:
        assert hbus.dialect is not None
        for hpdev in children(hbus):
            message = resources_assigned(hbus.dialect.resources_assigned, hpdev.desc.win_slot)
            await self.send_message(hbus.hdev.channel, message)
        return await super().enter_d0(hbus)


class LooksBeforeD0(HvPciDriver):
    async def enter_d0(self, hbus: HvPciBus) -> int:
        self._window_read(hbus, 0, 0, 2)
        return await super().enter_d0(hbus)


class StaysInD0(HvPciDriver):
    """When it is unbound."""

    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        if keep_devs or hdev.channel.rescind:
            return await super().hv_pci_bus_exit(hdev, keep_devs=keep_devs)
        await self.remove_children(hv_get_drvdata(hdev))
        return 0


class SleepsInD0(HvPciDriver):
    """When it is suspended."""

    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        if keep_devs and hv_get_drvdata(hdev).state is HvPciBusState.REMOVING:
            return 0
        return await super().hv_pci_bus_exit(hdev, keep_devs=keep_devs)


class LooksBack(HvPciDriver):
    async def _leave_d0(self, hdev: HvDevice) -> int:
        ret = await super()._leave_d0(hdev)
        self._window_read(hv_get_drvdata(hdev), 0, 0, 2)
        return ret


class ForgetsToClose(HvPciDriver):
    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        ret = await super().hv_pci_bus_exit(hdev, keep_devs=keep_devs)
        if not keep_devs:
            hdev.channel.state = ChannelState.OPEN  # vmbus_close() does nothing then
        return ret


class TakesNoForYes(HvPciDriver):
    async def hv_pci_enter_d0(self, hdev: HvDevice) -> int:
        ret = await super().hv_pci_enter_d0(hdev)
        return 0 if ret == -EPROTO else ret


class ResumesWithoutD0(HvPciDriver):
    async def hv_pci_enter_d0(self, hdev: HvDevice) -> int:
        if hv_get_drvdata(hdev).bridge.bus is not None:
            return 0
        return await super().hv_pci_enter_d0(hdev)


class ForgetsInterrupts(HvPciDriver):
    async def hv_pci_restore_msi_state(self, hbus: HvPciBus) -> None:
        pass


# Resources


class CreatesTooEarly(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        int_desc = HvMsiDesc3(vector=0x30, vector_count=BLOCK, processor_count=1)
        for hpdev in children(hbus):
            message = PciCreateInterrupt3(wslot=hpdev.desc.win_slot, int_desc=int_desc)
            await self.send_message(hbus.hdev.channel, message.build())
        return await super().assign_resources(hbus)


class NewerForms(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        for hpdev in children(hbus):
            message = child_message(M.PCI_RESOURCES_ASSIGNED3, hpdev.desc.win_slot)
            await self.send_message(hbus.hdev.channel, message)
        return await super().assign_resources(hbus)


class UsesWhatWasRefused(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        ret = await super().assign_resources(hbus)
        return 0 if ret == -EPROTO else ret


WRONG: Final[tuple[WrongGuest, ...]] = (
    driver("version-asked-first", "asks for the list before it has a version", ListFirst),
    driver("refused-version-not-asked-again", "asks twice for each version", AsksAgain),
    driver("no-version-no-further", "asks for the list without a version", AsksOnWithout),
    driver("no-version-channel-closed", "leaves the channel open", LeavesItOpen),
    driver("failed-query-is-no-agreement", "takes any failure for success", AnyAnswerWillDo),
    driver("only-listed-slots", "asks for the resources of a slot that has none", AsksForNobody),
    driver("trailing-bytes-ignored", "refuses lists that are too long", ToTheByte),
    driver("whole-list-taken", "reads lists with another stride (FreeBSD)", OtherStride),
    driver("list-is-no-eject", "takes a list for an eject, too (FreeBSD)", FallsThrough),
    driver("removal-by-list-not-answered", "answers a list that omits a function", AnswersLists),
    driver("repeated-list-changes-nothing", "assigns at every list", AssignsAtEveryList),
    driver("burst-of-lists-taken", "takes no more than 16 lists", RoomForFew),
    driver("omitted-function-not-resumed", "keeps what a list omits", RemovesNothing),
    driver("d0-entered-once", "enters D0 twice", EntersTwice),
    driver("window-aligned", "tries a window that is not aligned", CrookedWindow),
    driver("d0-before-resources", "assigns before D0", AssignsBeforeD0),
    driver("d0-before-configuration-space", "reads a register before D0", LooksBeforeD0),
    driver("d0-left-at-unbind", "stays in D0 when it is unbound", StaysInD0),
    driver("d0-left-at-suspend", "stays in D0 when it is suspended", SleepsInD0),
    driver("no-access-after-d0-exit", "reads a register after D0", LooksBack),
    driver("channel-closed-at-unbind", "leaves the channel open", ForgetsToClose),
    driver("refused-d0-no-resources", "goes on without D0", TakesNoForYes),
    driver("resume-comes-up-anew", "does not enter D0 when it resumes", ResumesWithoutD0),
    driver("resume-creates-interrupts-again", "keeps the old interrupts", ForgetsInterrupts),
    driver("assigned-before-interrupts", "creates before it assigns", CreatesTooEarly),
    driver("no-newer-forms", "tries a form that no version of its has", NewerForms, "1.2"),
    driver("refused-function-gets-no-interrupt", "uses what was refused", UsesWhatWasRefused),
)
