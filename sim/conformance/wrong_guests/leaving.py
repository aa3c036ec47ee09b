# SPDX-License-Identifier: MIT
"""Guests that let go wrongly, use the ring wrongly, or do not survive what makes no sense."""

from __future__ import annotations

from typing import Final

from guest.defects.device_gone_infinite_wait import WaitsForTheHost
from guest.defects.record import Mixin
from guest.defects.remove_after_rescind_talks import NeverGone, WritesAnyway
from guest.kernel import ops
from guest.kernel.irq import IrqData
from guest.pci_hyperv.bus import HvPciBus, HvPciBusState
from guest.pci_hyperv.device import HvPciDev, HvPciDevDescription
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.interrupt_requests import InterruptRequest
from guest.pci_hyperv.mapping_request import ComposeCompCtxt
from guest.pci_hyperv.messages import child_message, ejection_complete
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import Requestor, VmbusChannel
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.packets import vmbus_sendpacket
from protocol.ids import SlotNumber, TransactionId
from protocol.ring import Packet
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
    VmbusChannelOfferChannel,
    VmbusChannelRescindOffer,
)
from protocol.vpci import MessageType, PciDevIncoming, PciDevInvalBlock, message_type
from sim.conformance.wrong_guests.at_work import CAPABILITIES, delete
from sim.conformance.wrong_guests.record import WrongGuest, driver, vmbus

M = MessageType
TOO_LATE_MS: Final = 70_000
UNKNOWN_FLAG: Final = 2
SECOND_ANSWER: Final = "invalid transaction ID 1"
UNIMPLEMENTED: Final = "unimplemented protocol message"
POLL_US: Final = 10**12  # a day or more between looks, so that a run ends
LONELY: Final = TransactionId(1)  # of the only request that is under way


# Eject


class TooLate(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await ops.msleep(self.kernel, TOO_LATE_MS)
        await super().send_ejection_complete(hbus, hpdev)


class CompletesTwice(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await super().send_ejection_complete(hbus, hpdev)
        await super().send_ejection_complete(hbus, hpdev)


class AlwaysSlot0(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await self.send_message(hbus.hdev.channel, ejection_complete(SlotNumber(0)))


class LooksAgain(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await super().send_ejection_complete(hbus, hpdev)
        self._window_read(hbus, hpdev.desc.win_slot, CAPABILITIES, 2)


class CompletesAnything(HvPciDriver):
    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        payload = packet.payload
        if message_type(payload) == M.PCI_EJECT and len(payload) >= PciDevIncoming.SIZE:
            wslot = PciDevIncoming.parse(payload).wslot
            if self.find_child(hbus, wslot) is None:
                await self.send_message(hbus.hdev.channel, ejection_complete(SlotNumber(wslot)))
        await super().take_message(hbus, packet)


class TakesTheOther(HvPciDriver):
    async def remove_ejected_pci_dev(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await super().remove_ejected_pci_dev(hbus, hpdev)
        for other in hbus.children:
            if other is not hpdev:
                message = delete(other.desc.win_slot, 0xFEE0_0000)
                await self.send_message(hbus.hdev.channel, message)


class NotYet(HvPciDriver):
    async def hv_pci_eject_device(self, hpdev: HvPciDev) -> None:
        if hpdev.hbus.state is HvPciBusState.INSTALLED:
            await super().hv_pci_eject_device(hpdev)


class OnlyBusyOnes(HvPciDriver):
    """It completes an eject only of a function that it has had an interrupt for."""

    busy: frozenset[HvPciDev] = frozenset()

    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        self.busy |= {hpdev}
        return await super().interrupt_request(hpdev, data)

    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        if hpdev in self.busy:
            await super().send_ejection_complete(hbus, hpdev)


# Rescind


class KeepsTheNumber(VmbusConnection):
    async def vmbus_release_relid(self, relid: int) -> None:
        pass


class PollsOn(HvPciDriver):
    """Only a second list tells it that a function has gone."""

    lists = 0

    async def _devices_present(self, hbus: HvPciBus, func: tuple[HvPciDevDescription, ...]) -> None:
        self.lists += 1
        await super()._devices_present(hbus, func)

    async def poll_for_answer(self, hbus: HvPciBus, hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        answered = await super().poll_for_answer(hbus, hpdev, comp)
        await self.drain_channel(hbus)
        while not answered and self.lists == 1:
            await ops.udelay(self.kernel, POLL_US)
        return answered


class OnceAndNeverAgain(VmbusConnection):
    """It takes no offer once it has lost one."""

    lost_one = False

    async def vmbus_onoffer_rescind(self, rescind: VmbusChannelRescindOffer) -> None:
        self.lost_one = True
        await super().vmbus_onoffer_rescind(rescind)

    async def vmbus_onoffer(self, offer: VmbusChannelOfferChannel) -> None:
        if not self.lost_one:
            await super().vmbus_onoffer(offer)


# The ring


class AlwaysOne(Requestor):
    """Ids of a guest that knows of one request at a time."""

    __slots__ = ()

    def next_id(self, request: object) -> TransactionId:
        self._requests[0] = request
        return LONELY

    def match(self, transaction_id: int, request: object | None) -> object | None:
        stored = self._requests.get(transaction_id - 1)
        if stored is not None and (request is None or stored is request):
            del self._requests[transaction_id - 1]
        return stored


class OneId(HvPciDriver):
    async def open_channel(self, hbus: HvPciBus) -> int:
        ret = await super().open_channel(hbus)
        if not ret and hbus.hdev.channel.requestor is not None:
            hbus.hdev.channel.requestor.__class__ = AlwaysOne
        return ret


class AsksAsNobody(HvPciDriver):
    """A request without a requestor has the id 0."""

    async def assign_resources(self, hbus: HvPciBus) -> int:
        channel = hbus.hdev.channel
        size, channel.requestor_size = channel.requestor_size, 0
        message = child_message(M.PCI_QUERY_RESOURCE_REQUIREMENTS, SlotNumber(0))
        flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
        await vmbus_sendpacket(channel, message, None, VM_PKT_DATA_INBAND, flags)
        channel.requestor_size = size
        return await super().assign_resources(hbus)


async def say(channel: VmbusChannel, payload: bytes, packet_type: int, flags: int) -> None:
    await vmbus_sendpacket(channel, payload, None, packet_type, flags)


class OtherFlags(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        message = ejection_complete(hpdev.desc.win_slot)
        await say(hbus.hdev.channel, message, VM_PKT_DATA_INBAND, UNKNOWN_FLAG)


class CompletesEject(HvPciDriver):
    async def send_ejection_complete(self, hbus: HvPciBus, hpdev: HvPciDev) -> None:
        await say(hbus.hdev.channel, bytes(8), VM_PKT_COMP, 0)
        await super().send_ejection_complete(hbus, hpdev)


# What makes no sense


class Dies(HvPciDriver):
    """Takes nothing from the host any more once it has dropped a packet for this reason."""

    deadly: str
    dead = False

    def drop(self, hbus: HvPciBus, reason: str) -> None:
        super().drop(hbus, reason)
        self.dead |= reason == self.deadly

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        if not self.dead:
            await super().take_message(hbus, packet)


class DiesOfNobodysBlock(Dies):
    deadly = ""

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        payload = packet.payload
        if (
            message_type(payload) == M.PCI_INVALIDATE_BLOCK
            and len(payload) >= PciDevInvalBlock.SIZE
        ):
            wslot = PciDevInvalBlock.parse(payload).wslot
            self.dead |= self.find_child(hbus, wslot) is None
        await super().take_message(hbus, packet)


class DiesOfNobodysEject(Dies):
    deadly = ""

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        payload = packet.payload
        if message_type(payload) == M.PCI_EJECT and len(payload) >= PciDevIncoming.SIZE:
            wslot = PciDevIncoming.parse(payload).wslot
            self.dead |= self.find_child(hbus, wslot) is None
        await super().take_message(hbus, packet)


class UntilOneHasGone(Dies):
    """It expects no second answer, but knows that one may come for a function that has gone."""

    deadly = SECOND_ANSWER
    deadly_then = ""

    async def poll_for_answer(self, hbus: HvPciBus, hpdev: HvPciDev, comp: ComposeCompCtxt) -> bool:
        answered = await super().poll_for_answer(hbus, hpdev, comp)
        if not answered:
            self.deadly = self.deadly_then
        return answered


class OnceOneHasGone(UntilOneHasGone):
    """The reverse."""

    deadly = ""
    deadly_then = SECOND_ANSWER


class AnyAnswerIsMine(HvPciDriver):
    def request_of(self, channel: VmbusChannel, transaction_id: TransactionId) -> PciPacket | None:
        found = super().request_of(channel, transaction_id)
        return found or super().request_of(channel, LONELY)


def dies(caught_by: str, what: str, reason: str) -> WrongGuest:
    """A guest that does not survive the dropping of such a packet."""
    return driver(caught_by, f"dies of {what}", type("DiesOf", (Dies,), {"deadly": reason}))


WRONG: Final[tuple[WrongGuest, ...]] = (
    driver("eject-answered-in-time", "completes an eject after 70 s", TooLate),
    driver("eject-while-coming-up", "drops an eject before it has come up", NotYet),
    driver("idle-function-given-up", "completes no eject of an idle function", OnlyBusyOnes),
    driver("eject-completed-once", "completes each eject twice", CompletesTwice),
    driver("eject-names-its-slot", "completes every eject for slot 0", AlwaysSlot0),
    driver("ejected-function-left-alone", "reads a register after it was given up", LooksAgain),
    driver("unknown-slot-not-given-up", "completes what it does not have", CompletesAnything),
    driver("eject-spares-the-other", "deletes the other function's interrupt", TakesTheOther),
    vmbus("relid-given-back", "keeps the relid of a rescinded offer", KeepsTheNumber),
    WrongGuest(
        "silent-after-rescind",
        "leaves D0 although the offer is gone",
        (Mixin("driver", NeverGone), Mixin("vmbus", WritesAnyway)),
    ),
    driver("rescind-ends-a-wait", "waits for the host for ever", WaitsForTheHost),
    driver("rescind-ends-a-poll", "polls for an interrupt for ever", PollsOn),
    vmbus("second-offer-taken-up", "takes no offer after a rescind", OnceAndNeverAgain),
    driver("ids-distinct", "gives every request the id 1", OneId),
    driver("requests-have-ids", "makes a request with the id 0", AsksAsNobody),
    driver("flags-known", "sets a flag that nobody knows", OtherFlags),
    driver("in-band-only", "answers an eject with a completion", CompletesEject),
    dies("unknown-message-dropped", "an unknown message", f"{UNIMPLEMENTED} 424900ff"),
    dies("query-stop-dropped", "QUERY_STOP", f"{UNIMPLEMENTED} 4249000c"),
    dies("short-message-dropped", "a short message", "invalidate message too small"),
    dies("overlong-list-dropped", "too high a count", "bus relations v2 too small"),
    dies("overlong-first-list-dropped", "too high a count", "bus relations too small"),
    driver("stale-block-of-nobody", "dies of a notice about nobody", DiesOfNobodysBlock),
    driver("eject-of-nobody-dropped", "dies of an eject of nobody", DiesOfNobodysEject),
    driver("late-answer-for-what-has-gone", "dies of a late answer", OnceOneHasGone),
    dies("completion-of-nobody", "an id that it never gave", "invalid transaction ID 28"),
    dies("completion-of-zero", "the id 0", "invalid transaction ID 0"),
    driver("completion-repeated", "dies of a second answer", UntilOneHasGone),
    dies("completion-beyond-the-table", "a huge id", "invalid transaction ID 10000000000"),
    driver("completion-finds-its-request", "takes any answer for its own", AnyAnswerIsMine),
)
