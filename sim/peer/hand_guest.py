# SPDX-License-Identifier: MIT
"""A guest that is played by hand opposite a whole host partition: a clock, memory, two rings.

It posts what it is told to and writes what it is told to, right or wrong: control messages are real
ones, and rings lie in pages that it shares. Knows no driver and no vPCI message.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Final, NamedTuple

from host.partition import Partition
from host.settings import PartitionConfig
from protocol.hypercall import (
    HV_HYP_PAGE_SIZE,
    HV_HYPERCALL_FAST_BIT,
    HVCALL_POST_MESSAGE,
    HVCALL_SIGNAL_EVENT,
    HypercallResult,
)
from protocol.ids import Gpa, RelId, Vector, VpIndex
from protocol.ring import TRAILER_BYTES, Packet, Ring
from protocol.synic import message_payload, post_message_input
from protocol.versions import VMBUS_5_3
from protocol.vmbus import (
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOpenChannel,
    VmbusChannelOpenResult,
    message_type,
)
from sim.conformance.host_port import NO_ANSWER
from sim.peer.bench_clock import BenchClock

RING_BYTES: Final = 20480  # as Linux has it: a header page and four of data
FIRST_GPADL: Final = 0xE1E10
FIRST_RING_GPA: Final = 0x10_0000
FIRST_CONNECTION_ID: Final = 0x2000  # as our host numbers them, by relid
BSP: Final = VpIndex(0)

C = ChannelMessageType


class SharedPages:
    """Guest-physical memory that was shared, an area at a time; implements GuestMemory."""

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
        """The shared bytes. Raises LookupError where not all of them are of one area."""
        base = max((area for area in self._areas if area <= gpa), default=0)
        found = self._areas.get(base, memoryview(b""))[gpa - base : gpa - base + size_bytes]
        if len(found) < size_bytes:
            raise LookupError(f"no {size_bytes} bytes of memory at {gpa:#x}")
        return found


class Rings(NamedTuple):
    """A channel's two rings, and the pages that they lie in; ``gpadl`` is what these are shared as.

    ``shared`` are the two as bytes, header page and all.
    """

    to_host: Ring
    to_guest: Ring
    shared: tuple[memoryview, memoryview]
    gpa: Gpa
    gpadl: int

    def empty(self) -> None:
        """As they are before anything was written."""
        self.to_host.initialise()
        self.to_guest.initialise()


class HandGuest:
    """The guest's end of VMBus. ``told`` is called with each event of the host.

    ``messages``, ``signals`` by channel and ``interrupts`` are what the host has delivered.
    """

    def __init__(self, config: PartitionConfig, told: Callable[[object], None]) -> None:
        """Raises ValueError as :class:`Partition` does."""
        self.clock: Final = BenchClock()
        self.messages: list[bytes] = []
        self.signals: Counter[RelId] = Counter()
        self.interrupts: list[tuple[VpIndex, Vector]] = []
        self._memory = SharedPages()
        self._rings: dict[RelId, Rings] = {}
        self._shares = 0
        self.partition: Final = Partition(config, self.clock, self, self._memory, told)

    # What the host delivers (GuestPort)

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A control message: kept."""
        del vp
        self.messages.append(message_payload(message)[1])

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """A channel's flag: counted; who reads looks for himself."""
        del vp
        self.signals[RelId(flag)] += 1

    def deliver_vector(self, vp: VpIndex, vector: Vector) -> None:
        """A device interrupt: kept."""
        self.interrupts.append((vp, vector))

    # Control messages

    def post(self, payload: bytes) -> int:
        """Post a control message; the hypercall's status."""
        data = post_message_input(VMBUS_5_3.message_connection_id, payload)
        return self.hypercall(HVCALL_POST_MESSAGE, data).status

    def connect(self) -> None:
        """Agree on VMBus 5.3 and ask what there is."""
        version = VMBUS_5_3.version
        self.post(
            VmbusChannelInitiateContact(vmbus_version_requested=version, interrupt_page=2).build()
        )
        self.post(VmbusChannelMessageHeader(msgtype=C.CHANNELMSG_REQUESTOFFERS).build())
        self.run()

    def open(self, relid: RelId, ring_bytes: int = RING_BYTES) -> int:
        """Share two rings of so many bytes each, header page included, and open the channel.

        Returns the status of the host's answer, or NO_ANSWER.
        """
        self._rings[relid] = self._share(ring_bytes)
        before = len(self.messages)
        for message in self.opening(relid):
            self.post(message)
        self.run()
        answers = [
            VmbusChannelOpenResult.parse(payload)
            for payload in self.messages[before:]
            if message_type(payload) == C.CHANNELMSG_OPENCHANNEL_RESULT
        ]
        mine = [answer.status for answer in answers if answer.child_relid == relid]
        return mine[-1] if mine else NO_ANSWER

    def _share(self, ring_bytes: int) -> Rings:
        """Two empty rings in fresh pages."""
        gpa = self._memory.share(2 * ring_bytes)
        there = self._memory.window(gpa, ring_bytes)
        back = self._memory.window(Gpa(gpa + ring_bytes), ring_bytes)
        rings = Rings(Ring(there), Ring(back), (there, back), gpa, FIRST_GPADL + self._shares)
        self._shares += 1
        rings.empty()
        return rings

    def opening(self, relid: RelId) -> tuple[bytes, bytes]:
        """The two messages that share the channel's rings and open it over them."""
        rings = self._rings[relid]
        size_bytes = sum(map(len, rings.shared))
        first, pages = rings.gpa // HV_HYP_PAGE_SIZE, size_bytes // HV_HYP_PAGE_SIZE
        area = GpaRange(
            byte_count=size_bytes, byte_offset=0, pfn_array=tuple(range(first, first + pages))
        )
        header = VmbusChannelGpadlHeader(
            child_relid=relid,
            gpadl=rings.gpadl,
            range_buflen=8 + 8 * pages,
            rangecount=1,
            range=(area,),
        )
        message = VmbusChannelOpenChannel(
            child_relid=relid,
            openid=relid,
            ringbuffer_gpadlhandle=rings.gpadl,
            downstream_ringbuffer_pageoffset=pages // 2,
        )
        return header.build(), message.build()

    def close(self, relid: RelId) -> None:
        """Close the channel; its rings stay shared."""
        self.post(VmbusChannelCloseChannel(child_relid=relid).build())
        self.run()

    # Packets

    def rings(self, relid: RelId) -> Rings:
        """The channel's rings, for who plays with what is in them."""
        return self._rings[relid]

    def signal(self, relid: RelId) -> int:
        """Signal the channel; the hypercall's status."""
        data = self.connection_id(relid).to_bytes(8, "little")
        return self.hypercall(HVCALL_SIGNAL_EVENT | HV_HYPERCALL_FAST_BIT, data).status

    def connection_id(self, relid: RelId) -> int:
        """What the host is signalled by."""
        return FIRST_CONNECTION_ID + relid

    def read(self, relid: RelId) -> list[Packet]:
        """Take everything out of the ring from the host, and tell it about the room."""
        ring = self._rings[relid].to_guest
        packets = []
        while (packet := ring.read()) is not None:
            packets.append(packet)
            if ring.must_signal_space(packet.size + TRAILER_BYTES):
                self.signal(relid)
        return packets

    # The rest

    def hypercall(self, control: int, data: bytes) -> HypercallResult:
        """Issue a hypercall on VP 0."""
        return self.partition.hypercall(BSP, control, data)

    def run(self) -> None:
        """Let the host do what it has to do."""
        self.clock.run()
