# SPDX-License-Identifier: MIT
"""Drivers that take answers, or do without them, otherwise than Linux. Knows no case."""

from __future__ import annotations

from msgspec.structs import replace

from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.mapping_request import ComposeCompCtxt
from guest.pci_hyperv.requests import PciPacket
from guest.vmbus.channel import HvDevice, VmbusChannel
from protocol.ids import TransactionId
from protocol.ring import DESCRIPTOR_BYTES, Packet
from protocol.vpci import PciCreateIntResponse

ADDRESS_BYTES = 8


class TakesHalfAnswers(HvPciDriver):
    """What an answer lacks is zeros."""

    async def hv_pci_compose_compl(
        self, context: ComposeCompCtxt, packet: Packet, size: int
    ) -> None:
        whole = replace(packet, payload=packet.payload.ljust(PciCreateIntResponse.SIZE, b"\0"))
        least = DESCRIPTOR_BYTES + PciCreateIntResponse.SIZE
        await super().hv_pci_compose_compl(context, whole, max(size, least))


class WantsAnAddress(HvPciDriver):
    """An interrupt without one is none."""

    async def hv_pci_compose_compl(
        self, context: ComposeCompCtxt, packet: Packet, size: int
    ) -> None:
        tells_one = any(packet.payload[-ADDRESS_BYTES:])
        await super().hv_pci_compose_compl(context, packet, size * tells_one)


class LeavesWithoutAnswer(HvPciDriver):
    """It has left D0 when the time is over, answer or not."""

    async def hv_pci_bus_exit(self, hdev: HvDevice, *, keep_devs: bool) -> int:
        await super().hv_pci_bus_exit(hdev, keep_devs=keep_devs)
        return 0


class KeepsTheId(HvPciDriver):
    """It still has the id of a D0 exit that nobody answered."""

    async def forget_d0_exit(
        self, _channel: VmbusChannel, _transaction_id: TransactionId, _packet: PciPacket
    ) -> None:
        pass
