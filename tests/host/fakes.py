# SPDX-License-Identifier: MIT
"""A clock that jumps, guest memory that is a byte array, and a guest that speaks raw bytes."""

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from uuid import UUID

from host.devices import PROFILES as DEVICES
from host.partition import Partition
from host.settings import BusConfig, FunctionConfig, PartitionConfig
from protocol.hypercall import HV_VCPUS_PER_SPARSE_BANK, HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT
from protocol.ids import Gpa, RelId, SlotNumber, Vector, VpIndex
from protocol.ring import Packet, Ring
from protocol.synic import message_payload, post_message_input
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOfferChannel,
    VmbusChannelOpenChannel,
    message_type,
)
from protocol.vpci import PciResponse

INSTANCE = UUID("2be94203-89a5-4f5c-8a5e-3c6f4a9b1d02")
RING_BYTES = 20480
RING_GPA = 0x10_0000
RING_STEP = 0x10_0000  # guest memory set aside for one channel's two rings
FAST = 1 << 16


class FakeClock:
    """Runs actions at the start of their window, in order of time, then of arming."""

    def __init__(self) -> None:
        self.time_ns = 0
        self._armed: list[tuple[int, int, str, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def now_ns(self) -> int:
        return self.time_ns

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        number = self._count
        self._count += 1
        heappush(self._armed, (self.time_ns + window_ns[0], number, label, action))
        return lambda: self._cancelled.add(number)

    def run(self, until_ns: int | None = None) -> None:
        """Run what is due before ``until_ns``; without it, all that is armed within a second."""
        limit_ns = self.time_ns + 1_000_000_000 if until_ns is None else until_ns
        while self._armed and self._armed[0][0] <= limit_ns:
            at_ns, number, _, action = heappop(self._armed)
            self.time_ns = max(self.time_ns, at_ns)
            if number not in self._cancelled:
                action()
        if until_ns is not None:
            self.time_ns = until_ns


class FakeMemory:
    """Guest-physical memory from address 0 on."""

    def __init__(self, size_bytes: int = 0x80_0000) -> None:
        self._bytes = memoryview(bytearray(size_bytes))

    def window(self, gpa: Gpa, size_bytes: int) -> memoryview:
        return self._bytes[gpa : gpa + size_bytes]


class FakeGuest:
    """The guest end of VMBus, by hand: posts messages, owns rings, sends and reads packets."""

    def __init__(self, config: PartitionConfig) -> None:
        self.clock = FakeClock()
        self.memory = FakeMemory()
        self.events: list[object] = []
        self.messages: list[bytes] = []
        self.flags: list[int] = []
        self.vectors: list[tuple[VpIndex, Vector]] = []
        self.partition = Partition(config, self.clock, self, self.memory, self.events.append)
        self.to_host: dict[RelId, Ring] = {}
        self.to_guest: dict[RelId, Ring] = {}
        self._transaction_id = 0

    # GuestPort

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        del vp
        self.messages.append(message_payload(message)[1])

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        del vp
        self.flags.append(flag)

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        self.vectors.append((vp, vector))

    # VMBus

    def post(self, payload: bytes) -> int:
        data = post_message_input(4, payload)
        return self.partition.hypercall(VpIndex(0), HVCALL_POST_MESSAGE, data).status

    def connect(self) -> None:
        """Negotiate 5.3 and ask for offers."""
        self.post(
            VmbusChannelInitiateContact(vmbus_version_requested=0x50003, interrupt_page=2).build()
        )
        header = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        self.post(header.build())
        self.clock.run()

    def offers(self) -> list[VmbusChannelOfferChannel]:
        kind = ChannelMessageType.CHANNELMSG_OFFERCHANNEL
        found = [m for m in self.messages if message_type(m) == kind]
        return [VmbusChannelOfferChannel.parse(payload) for payload in found]

    def message_types(self) -> list[int]:
        return [message_type(payload) for payload in self.messages]

    def open(self, relid: RelId, ring_bytes: int = RING_BYTES) -> None:
        """Share two rings of ``ring_bytes`` each and open the channel."""
        base = RING_GPA + relid * RING_STEP
        pages = 2 * ring_bytes // 4096
        self.to_host[relid] = Ring(self.memory.window(Gpa(base), ring_bytes))
        self.to_guest[relid] = Ring(self.memory.window(Gpa(base + ring_bytes), ring_bytes))
        self.to_host[relid].initialise()
        self.to_guest[relid].initialise()
        first = base >> 12
        area = GpaRange(
            byte_count=2 * ring_bytes, byte_offset=0, pfn_array=tuple(range(first, first + pages))
        )
        gpadl = 0xE1E10 + relid
        header = VmbusChannelGpadlHeader(
            child_relid=relid,
            gpadl=gpadl,
            range_buflen=8 + 8 * pages,
            rangecount=1,
            range=(area,),
        )
        self.post(header.build())
        message = VmbusChannelOpenChannel(
            child_relid=relid,
            openid=relid,
            ringbuffer_gpadlhandle=gpadl,
            downstream_ringbuffer_pageoffset=pages // 2,
            target_vp=0,
        )
        self.post(message.build())
        self.clock.run()

    def close(self, relid: RelId) -> None:
        self.post(VmbusChannelCloseChannel(child_relid=relid).build())
        self.clock.run()

    # Packets

    def write(self, relid: RelId, payload: bytes, *, completion: bool = True) -> int:
        """Publish a packet and signal; the transaction id, 0 without a completion."""
        self._transaction_id += completion
        number = self._transaction_id if completion else 0
        if self.to_host[relid].write(VM_PKT_DATA_INBAND, int(completion), number, payload):
            self.signal(relid)
        return number

    def signal(self, relid: RelId) -> int:
        data = (0x2000 + relid).to_bytes(8, "little")
        control = HVCALL_SIGNAL_EVENT | FAST
        return self.partition.hypercall(VpIndex(0), control, data).status

    def read(self, relid: RelId) -> list[Packet]:
        """Take everything out of the host-to-guest ring, signalling as Linux would."""
        packets = []
        ring = self.to_guest[relid]
        while (packet := ring.read()) is not None:
            packets.append(packet)
            if ring.must_signal_space(packet.size + 8):
                self.signal(relid)
        return packets

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
