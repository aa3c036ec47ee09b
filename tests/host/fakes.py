# SPDX-License-Identifier: MIT
"""A guest that speaks raw bytes, asks and listens; and a bus for it."""

from collections.abc import Sequence
from uuid import UUID

from host.devices import PROFILES as DEVICES
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.hypercall import HV_VCPUS_PER_SPARSE_BANK
from protocol.ids import RelId, SlotNumber, VpIndex
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    ChannelMessageType,
    VmbusChannelOfferChannel,
    message_type,
)
from protocol.vpci import PciResponse
from sim.peer.hand_guest import HandGuest

INSTANCE = UUID("2be94203-89a5-4f5c-8a5e-3c6f4a9b1d02")


class FakeGuest(HandGuest):
    """A guest by hand that asks and listens, for stories."""

    def __init__(self, config: PartitionConfig) -> None:
        self.events: list[object] = []
        super().__init__(config, self.events.append)
        self._transaction_id = 0

    # VMBus

    def offers(self) -> list[VmbusChannelOfferChannel]:
        kind = ChannelMessageType.CHANNELMSG_OFFERCHANNEL
        found = [m for m in self.messages if message_type(m) == kind]
        return [VmbusChannelOfferChannel.parse(payload) for payload in found]

    # Packets

    def write(self, relid: RelId, payload: bytes, *, completion: bool = True) -> int:
        """Publish a packet and signal; the transaction id, 0 without a completion."""
        self._transaction_id += completion
        number = self._transaction_id if completion else 0
        if self.rings(relid).to_host.write(VM_PKT_DATA_INBAND, int(completion), number, payload):
            self.signal(relid)
        return number

    def ask(self, relid: RelId, payload: bytes) -> tuple[bytes | None, list[bytes]]:
        """Send a request and let the host run: (its completion or None, unsolicited packets)."""
        number = self.write(relid, payload)
        self.clock.run()
        packets = self.read(relid)
        answers = [
            p.payload
            for p in packets
            if p.packet_type == VM_PKT_COMP and p.transaction_id == number
        ]
        news = [p.payload for p in packets if p.packet_type == VM_PKT_DATA_INBAND]
        assert len(answers) <= 1
        return (answers[0] if answers else None), news

    def tell(self, relid: RelId, payload: bytes) -> list[bytes]:
        """Send a packet that wants no completion and let the host run: what came back."""
        self.write(relid, payload, completion=False)
        self.clock.run()
        return [packet.payload for packet in self.read(relid)]

    def names(self) -> list[str]:
        """The class names of all events so far."""
        return [type(event).__name__ for event in self.events]


def status_of(completion: bytes | None) -> int:
    """The status word of a completion, unsigned."""
    assert completion is not None
    return PciResponse.parse(completion).status & 0xFFFF_FFFF


def bus(name: str = "nvme0", device: str = "nvme-ssd", slots: tuple[int, ...] = (0,)) -> BusConfig:
    """A bus of one device type in these slots."""
    functions = tuple(FunctionConfig(DEVICES[device], SlotNumber(slot)) for slot in slots)
    return BusConfig(name, INSTANCE, functions)


def banks_of_vps(vps: Sequence[VpIndex]) -> tuple[int, tuple[int, ...]]:
    """``(valid_bank_mask, banks)`` with only the banks that are needed, which is lawful too."""
    by_bank: dict[int, int] = {}
    for vp in vps:
        number, bit = divmod(vp, HV_VCPUS_PER_SPARSE_BANK)
        by_bank[number] = by_bank.get(number, 0) | 1 << bit
    numbers = sorted(by_bank)
    return sum(1 << number for number in numbers), tuple(by_bank[number] for number in numbers)
