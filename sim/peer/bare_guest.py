# SPDX-License-Identifier: MIT
"""The guest's end of VMBus and nothing behind it: messages, rings and packets on demand.

Stands opposite a :class:`~host.partition.Partition` where whoever drives it is no kernel: the
conformance suite, or a guest in another process. Real control messages, real rings in shared pages.
Knows no vPCI message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import UUID

from host.partition import Partition
from host.settings import PartitionConfig
from protocol.hypercall import (
    HV_HYP_PAGE_SIZE,
    HVCALL_POST_MESSAGE,
    HVCALL_SIGNAL_EVENT,
    HypercallResult,
)
from protocol.ids import Gpa, RelId, Vector, VpIndex
from protocol.link import MessagePosted, PacketPublished
from protocol.ring import TRAILER_BYTES, Packet, Ring
from protocol.synic import message_payload, post_message_input
from protocol.versions import VMBUS_5_3
from protocol.vmbus import (
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOfferChannel,
    VmbusChannelOpenChannel,
    VmbusChannelOpenResult,
    VmbusChannelRelidReleased,
    VmbusChannelRescindOffer,
    message_type,
)
from sim.peer.bench_clock import BenchClock
from sim.trace import Stamped

RING_BYTES: Final = 20480  # as Linux has it: a header page and four of data
SETTLE_NS: Final = 1_000_000_000  # longer than any reply, shorter than the host's patience
FIRST_GPADL: Final = 0xE1E10
FIRST_RING_GPA: Final = 0x10_0000
BSP: Final = VpIndex(0)
FAST: Final = 1 << 16  # the hypercall's input is in registers
ME: Final = "thread/0:peer"

C = ChannelMessageType


class Offered(NamedTuple):
    """A channel as its offer told it."""

    relid: RelId
    connection_id: int
    instance_id: UUID


class SharedPages:
    """Guest-physical memory that was shared, an area for each channel; implements GuestMemory."""

    def __init__(self) -> None:
        self._areas: dict[int, memoryview] = {}
        self._next = FIRST_RING_GPA

    def share(self, size_bytes: int) -> Gpa:
        """Fresh zeroed pages that follow each other; where they are."""
        gpa = self._next
        self._areas[gpa] = memoryview(bytearray(size_bytes))
        self._next += size_bytes
        return Gpa(gpa)

    def window(self, gpa: Gpa, size_bytes: int) -> memoryview:
        """The shared bytes. Raises KeyError for an address that was not shared."""
        base = max((area for area in self._areas if area <= gpa), default=0)
        return self._areas[base][gpa - base : gpa - base + size_bytes]


class _Rings(NamedTuple):
    to_host: Ring
    to_guest: Ring
    gpadl: int


class BareGuest:
    """One VM without a kernel, and its host.

    ``trace`` is what happened, stamped: what this end sends is told by it, the rest by the host.
    """

    def __init__(self, config: PartitionConfig) -> None:
        """Raises ValueError as :class:`Partition` does."""
        self.clock: Final = BenchClock()
        self.trace: list[Stamped] = []
        self.interrupts: list[tuple[VpIndex, Vector]] = []
        self.rescinded: set[RelId] = set()
        self.signals: Counter[RelId] = Counter()
        self._memory = SharedPages()
        self._offers: dict[RelId, Offered] = {}
        self._opened: dict[RelId, int] = {}
        self._rings: dict[RelId, _Rings] = {}
        self._gpadls = 0
        self._who = ME
        self.partition: Final = Partition(config, self.clock, self, self._memory, self._told)

    def _told(self, event: object) -> None:
        self.trace.append(Stamped(len(self.trace), self.clock.now_ns(), self._who, event))  # type: ignore[arg-type]  # events are structs

    # What the host delivers (GuestPort)

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A control message: offers, results and rescinds are kept."""
        del vp
        payload = message_payload(message)[1]
        taken = _TAKE.get(message_type(payload))
        if taken is not None:
            taken(self, payload)

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """A channel's flag: counted; who reads looks for himself."""
        del vp
        self.signals[RelId(flag)] += 1

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """A device interrupt: kept."""
        self.interrupts.append((vp, vector))

    def _offered(self, payload: bytes) -> None:
        offer = VmbusChannelOfferChannel.parse(payload)
        relid = RelId(offer.child_relid)
        self.rescinded.discard(relid)
        self._offers[relid] = Offered(relid, offer.connection_id, offer.offer.if_instance)

    def _open_result(self, payload: bytes) -> None:
        result = VmbusChannelOpenResult.parse(payload)
        self._opened[RelId(result.child_relid)] = result.status

    def _rescind(self, payload: bytes) -> None:
        relid = RelId(VmbusChannelRescindOffer.parse(payload).child_relid)
        self.rescinded.add(relid)

    # Control messages

    def post(self, payload: bytes) -> int:
        """Post a control message; the hypercall's status."""
        self._told(MessagePosted("guest-to-host", payload))
        data = post_message_input(VMBUS_5_3.message_connection_id, payload)
        return self.partition.hypercall(BSP, HVCALL_POST_MESSAGE, data).status

    def connect(self) -> None:
        """Agree on VMBus 5.3 and ask what there is."""
        self.post(
            VmbusChannelInitiateContact(
                vmbus_version_requested=VMBUS_5_3.version, interrupt_page=2
            ).build()
        )
        self.post(VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_REQUESTOFFERS).build())
        self.run()

    def offers(self) -> tuple[Offered, ...]:
        """What is offered and not rescinded, oldest first."""
        return tuple(o for relid, o in self._offers.items() if relid not in self.rescinded)

    def open(self, relid: RelId, ring_bytes: int = RING_BYTES) -> int:
        """Share two rings of so many bytes each, header page included, and open the channel.

        Returns the status of the host's answer; one that never answers gives -1.
        """
        gpa = self._memory.share(2 * ring_bytes)
        to_host = Ring(self._memory.window(gpa, ring_bytes))
        to_guest = Ring(self._memory.window(Gpa(gpa + ring_bytes), ring_bytes))
        to_host.initialise()
        to_guest.initialise()
        gpadl = FIRST_GPADL + self._gpadls
        self._gpadls += 1
        self._rings[relid] = _Rings(to_host, to_guest, gpadl)
        self._opened.pop(relid, None)
        self._post_gpadl(relid, gpadl, gpa, 2 * ring_bytes)
        self.post(
            VmbusChannelOpenChannel(
                child_relid=relid,
                openid=relid,
                ringbuffer_gpadlhandle=gpadl,
                downstream_ringbuffer_pageoffset=ring_bytes // HV_HYP_PAGE_SIZE,
            ).build()
        )
        self.run()
        return self._opened.get(relid, -1)

    def _post_gpadl(self, relid: RelId, gpadl: int, gpa: Gpa, size_bytes: int) -> None:
        first, pages = gpa // HV_HYP_PAGE_SIZE, size_bytes // HV_HYP_PAGE_SIZE
        area = GpaRange(
            byte_count=size_bytes, byte_offset=0, pfn_array=tuple(range(first, first + pages))
        )
        self.post(
            VmbusChannelGpadlHeader(
                child_relid=relid,
                gpadl=gpadl,
                range_buflen=8 + 8 * pages,
                rangecount=1,
                range=(area,),
            ).build()
        )

    def close(self, relid: RelId) -> None:
        """Close the channel and take the rings back."""
        rings = self._rings.pop(relid)
        self.post(VmbusChannelCloseChannel(child_relid=relid).build())
        if relid not in self.rescinded:
            self.post(VmbusChannelGpadlTeardown(child_relid=relid, gpadl=rings.gpadl).build())
        self.run()

    def release(self, relid: RelId) -> None:
        """Give the relid of a rescinded channel back."""
        self._offers.pop(relid, None)
        self.post(VmbusChannelRelidReleased(child_relid=relid).build())
        self.run()

    # Packets

    def rings(self, relid: RelId) -> tuple[Ring, Ring]:
        """The ring to the host and the one to the guest, for who plays with their indices."""
        return self._rings[relid][:2]

    def write(
        self, relid: RelId, packet_type: int, flags: int, transaction_id: int, payload: bytes
    ) -> None:
        """Publish a packet and signal. Raises RingFull."""
        must_signal = self._rings[relid].to_host.write(packet_type, flags, transaction_id, payload)
        self._told(
            PacketPublished("guest-to-host", relid, packet_type, transaction_id, flags, payload)  # type: ignore[arg-type]  # any number may be tried
        )
        if must_signal:
            self.signal(relid)

    def signal(self, relid: RelId) -> int:
        """Signal the channel; the hypercall's status."""
        data = self._offers[relid].connection_id.to_bytes(8, "little")
        return self.partition.hypercall(BSP, HVCALL_SIGNAL_EVENT | FAST, data).status

    def read(self, relid: RelId) -> list[Packet]:
        """Take everything out of the ring from the host, and tell it about the room."""
        ring = self._rings[relid].to_guest
        packets = []
        while (packet := ring.read()) is not None:
            packets.append(packet)
            if ring.must_signal_space(packet.size + TRAILER_BYTES):
                self.signal(relid)
        return packets

    # The rest of what a guest reaches

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """Issue a hypercall on VP 0."""
        return self.partition.hypercall(BSP, control, data)

    def mmio_read(self, gpa: int, size: int) -> int:
        """Read guest-physical memory that the host answers for."""
        return self.partition.mmio_read(gpa, size)

    def mmio_write(self, gpa: int, size: int, value: int) -> None:
        """Write it."""
        self.partition.mmio_write(gpa, size, value)

    def run(self, for_ns: int = SETTLE_NS) -> None:
        """Let the host do what it has to do within so many nanoseconds."""
        self._who = "host"
        self.clock.run(for_ns)
        self._who = ME


_TAKE: Final[dict[int, Callable[[BareGuest, bytes], None]]] = {
    C.CHANNELMSG_OFFERCHANNEL: BareGuest._offered,  # noqa: SLF001 - its own table
    C.CHANNELMSG_OPENCHANNEL_RESULT: BareGuest._open_result,  # noqa: SLF001 - as above
    C.CHANNELMSG_RESCIND_CHANNELOFFER: BareGuest._rescind,  # noqa: SLF001 - as above
}
