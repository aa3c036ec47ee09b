# SPDX-License-Identifier: MIT
"""A guest that is played by hand opposite a whole host partition: a clock, memory, two rings.

It posts what it is told to and writes what it is told to, right or wrong. Knows no driver: what
Linux would do is nothing to it.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Final

from host.partition import Partition
from host.settings import PartitionConfig
from protocol.hypercall import HV_HYPERCALL_FAST_BIT, HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT
from protocol.ids import Gpa, RelId, Vector, VpIndex
from protocol.ring import TRAILER_BYTES, Packet, Ring
from protocol.synic import message_payload, post_message_input
from protocol.vmbus import (
    VMBUS_MESSAGE_CONNECTION_ID_4,
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlHeader,
    VmbusChannelInitiateContact,
    VmbusChannelMessageHeader,
    VmbusChannelOpenChannel,
)

MEMORY_BYTES: Final = 0x80_0000
PAGE_BYTES: Final = 4096
RING_BYTES: Final = 5 * PAGE_BYTES
RING_GPA: Final = 0x10_0000
RING_STEP: Final = 0x10_0000  # guest memory set aside for one channel's two rings
CHANNELS_MAX: Final = 7  # at a time; there is memory for no more
GPADL_BASE: Final = 0xE1E10
CONNECTION_ID_BASE: Final = 0x2000
RUN_NS: Final = 1_000_000_000  # longer than anything but the host's patience
VMBUS_5_3: Final = 0x50003


class JumpingClock:
    """Runs actions at the start of their window, in order of time, then of arming."""

    def __init__(self) -> None:
        self.time_ns = 0
        self._armed: list[tuple[int, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def now_ns(self) -> int:
        return self.time_ns

    @property
    def armed(self) -> int:
        """How many actions wait for their time, called off or not."""
        return len(self._armed)

    def later(
        self, window_ns: tuple[int, int], label: str, action: Callable[[], None]
    ) -> Callable[[], None]:
        del label
        number = self._count
        self._count += 1
        heappush(self._armed, (self.time_ns + window_ns[0], number, action))
        return lambda: self._cancelled.add(number)

    def run(self, until_ns: int | None = None) -> None:
        """Run what is due before ``until_ns``; without it, all that is armed within a second."""
        limit_ns = self.time_ns + RUN_NS if until_ns is None else until_ns
        while self._armed and self._armed[0][0] <= limit_ns:
            at_ns, number, action = heappop(self._armed)
            self.time_ns = max(self.time_ns, at_ns)
            if number not in self._cancelled:
                action()
            self._cancelled.discard(number)
        if until_ns is not None:
            self.time_ns = until_ns


class FlatMemory:
    """Guest-physical memory from address 0 on."""

    def __init__(self, size_bytes: int = MEMORY_BYTES) -> None:
        self._bytes = memoryview(bytearray(size_bytes))

    def window(self, gpa: Gpa, size_bytes: int) -> memoryview:
        """The bytes from ``gpa`` on, shared; LookupError where there is no memory."""
        if gpa + size_bytes > len(self._bytes):
            raise LookupError(f"no {size_bytes} bytes of memory at {gpa:#x}")
        return self._bytes[gpa : gpa + size_bytes]


class HandGuest:
    """The guest end of VMBus, by hand. ``to_host`` and ``to_guest`` are rings by relid, ``shared``
    the same two as bytes; ``messages`` and ``events`` are what the host has said and reported."""

    def __init__(self, config: PartitionConfig) -> None:
        self.clock = JumpingClock()
        self.memory = FlatMemory()
        self.events: list[object] = []
        self.messages: list[bytes] = []
        self.flags: list[int] = []
        self.vectors: list[tuple[VpIndex, Vector]] = []
        self.partition = Partition(config, self.clock, self, self.memory, self.events.append)
        self.to_host: dict[RelId, Ring] = {}
        self.to_guest: dict[RelId, Ring] = {}
        self.shared: dict[RelId, tuple[memoryview, memoryview]] = {}

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
        """Post a control message; the hypercall's status."""
        data = post_message_input(VMBUS_MESSAGE_CONNECTION_ID_4, payload)
        return self.partition.hypercall(VpIndex(0), HVCALL_POST_MESSAGE, data).status

    def connect(self) -> None:
        """Negotiate 5.3 and ask for offers."""
        contact = VmbusChannelInitiateContact(vmbus_version_requested=VMBUS_5_3, interrupt_page=2)
        self.post(contact.build())
        header = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_REQUESTOFFERS)
        self.post(header.build())
        self.clock.run()

    def open(self, relid: RelId, ring_bytes: int = RING_BYTES) -> None:
        """Share two rings of ``ring_bytes`` each and open the channel."""
        self.lay_rings(relid, ring_bytes)
        for message in self.opening(relid, ring_bytes):
            self.post(message)
        self.clock.run()

    def lay_rings(self, relid: RelId, ring_bytes: int = RING_BYTES) -> None:
        """Make two empty rings in memory."""
        base = _rings_gpa(relid)
        out, back = (self.memory.window(Gpa(base + at), ring_bytes) for at in (0, ring_bytes))
        self.shared[relid] = out, back
        self.to_host[relid], self.to_guest[relid] = Ring(out), Ring(back)
        self.to_host[relid].initialise()
        self.to_guest[relid].initialise()

    def opening(self, relid: RelId, ring_bytes: int = RING_BYTES) -> tuple[bytes, bytes]:
        """The two messages that share the rings and open the channel over them."""
        pages = 2 * ring_bytes // PAGE_BYTES
        first = _rings_gpa(relid) // PAGE_BYTES
        area = GpaRange(
            byte_count=2 * ring_bytes, byte_offset=0, pfn_array=tuple(range(first, first + pages))
        )
        header = VmbusChannelGpadlHeader(
            child_relid=relid,
            gpadl=GPADL_BASE + relid,
            range_buflen=8 + 8 * pages,
            rangecount=1,
            range=(area,),
        )
        message = VmbusChannelOpenChannel(
            child_relid=relid,
            openid=relid,
            ringbuffer_gpadlhandle=GPADL_BASE + relid,
            downstream_ringbuffer_pageoffset=pages // 2,
            target_vp=0,
        )
        return header.build(), message.build()

    def close(self, relid: RelId) -> None:
        """Close the channel."""
        self.post(VmbusChannelCloseChannel(child_relid=relid).build())
        self.clock.run()

    # Packets

    def signal(self, relid: RelId) -> int:
        """Signal the host as its connection id asks; the hypercall's status."""
        data = (CONNECTION_ID_BASE + relid).to_bytes(8, "little")
        control = HVCALL_SIGNAL_EVENT | HV_HYPERCALL_FAST_BIT
        return self.partition.hypercall(VpIndex(0), control, data).status

    def read(self, relid: RelId) -> list[Packet]:
        """Take everything out of the host-to-guest ring, signalling as Linux would."""
        packets = []
        ring = self.to_guest[relid]
        while (packet := ring.read()) is not None:
            packets.append(packet)
            if ring.must_signal_space(packet.size + TRAILER_BYTES):
                self.signal(relid)
        return packets


def _rings_gpa(relid: RelId) -> int:
    """Where the two rings of a channel lie."""
    return RING_GPA + relid % CHANNELS_MAX * RING_STEP
