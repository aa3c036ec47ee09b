# SPDX-License-Identifier: MIT
"""A channel of the guest, its requestor, and the device behind it. State only, no messages.

After struct vmbus_channel, struct vmbus_requestor and struct hv_device of Linux 6.12.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from guest.kernel.faults import EndlessLoop, NullDereference
from guest.kernel.lists import ListNode
from guest.kernel.memory import Allocated, RefCount
from guest.kernel.sync import Mutex, SpinLock
from guest.kernel.work import Tasklet, Work
from protocol.ids import CpuId, GpadlId, RelId, TransactionId
from protocol.ring import DESCRIPTOR_BYTES, Ring
from protocol.vmbus import VmbusChannelOfferChannel

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection

CONNECT_CPU = CpuId(0)  # VMBUS_CONNECT_CPU: where the host's messages come in
REQUEST_ID_ERROR = TransactionId((1 << 64) - 2)  # VMBUS_RQST_ERROR
NO_REQUESTOR = TransactionId((1 << 64) - 1)  # VMBUS_NO_RQSTOR
INVALID_RELID = RelId((1 << 32) - 1)  # of a channel between a suspend and its next offer


class ChannelState(Enum):
    """enum vmbus_channel_state; OPEN means *may be opened*, as in Linux."""

    OFFER = "offer"
    OPENING = "opening"
    OPEN = "open"
    OPENED = "opened"


class Requestor(Allocated):
    """Ids of requests in flight: a table with a last-in first-out free list.

    The wire id is the table index plus one; 0 is left to unsolicited packets.
    Model: one object for the table and the bitmap, which Linux allocates one after the other.
    """

    __slots__ = ("_free", "_requests", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._free = list(range(size - 1, -1, -1))
        self._requests: dict[int, object] = {}

    def next_id(self, request: object) -> TransactionId:
        """An id for the request; REQUEST_ID_ERROR if all are in use. Under the lock."""
        if not self._free:
            return REQUEST_ID_ERROR
        index = self._free.pop()
        self._requests[index] = request
        return TransactionId(index + 1)

    def match(self, transaction_id: int, request: object | None) -> object | None:
        """__vmbus_request_addr_match(): what is stored at the id, or None if nothing is.

        The id is freed if ``request`` is None (any) or is what is stored.
        """
        index = transaction_id - 1
        stored = self._requests.get(index)
        if stored is not None and (request is None or stored is request):
            del self._requests[index]
            self._free.append(index)
        return stored

    @property
    def in_use(self) -> int:
        """Requests in flight."""
        return len(self._requests)


class VmbusChannel(Allocated):
    """struct vmbus_channel. ``outbound`` and ``inbound`` are None while there is no ring.

    ``requestor`` is None before the first opening, and dangles while the channel is closed again.
    """

    __slots__ = (
        "add_channel_work",
        "callback_context",
        "callback_event",
        "device_obj",
        "gpadl",
        "inbound",
        "list_entry",
        "max_packet_bytes",
        "offer",
        "onchannel_callback",
        "outbound",
        "probe_done",
        "relid",
        "requestor",
        "requestor_lock",
        "requestor_size",
        "rescind",
        "rescind_ref",
        "ring_gpa",
        "ring_lock",
        "ring_pages",
        "ring_send_pages",
        "sched_lock",
        "sig_event",
        "state",
        "target_cpu",
        "vmbus",
    )
    EMBEDDED = ("callback_event", "sched_lock", "ring_lock", "requestor_lock", "list_entry")

    def __init__(self, vmbus: VmbusConnection, offer: VmbusChannelOfferChannel) -> None:
        kernel = vmbus.kernel
        self.vmbus = vmbus
        self.setup_state(offer)
        self.state = ChannelState.OFFER
        self.rescind = False
        self.rescind_ref = False
        self.probe_done = False
        self.target_cpu = CONNECT_CPU  # vPCI is not a performance channel
        self.device_obj: HvDevice | None = None
        self.onchannel_callback: Callable[[Any], Awaitable[None]] | None = None
        self.callback_context: object = None
        self.callback_event = Tasklet(kernel, f"vmbus_on_event/{self.relid}", self.vmbus_on_event)
        self.sched_lock = SpinLock(kernel, "sched_lock")
        self.ring_lock = SpinLock(kernel, "ring_lock", fine=True)
        self.requestor_lock = SpinLock(kernel, "req_lock")
        self.list_entry = ListNode(self)
        self.add_channel_work: Work | None = None
        self.requestor: Requestor | None = None
        self.requestor_size = 0
        self.gpadl = GpadlId(0)
        self.max_packet_bytes = 0
        self.ring_gpa = 0
        self.ring_pages = 0
        self.ring_send_pages = 0
        self.outbound: Ring | None = None
        self.inbound: Ring | None = None

    def setup_state(self, offer: VmbusChannelOfferChannel) -> None:
        """vmbus_setup_channel_state(): what an offer says, the first or one after a suspend."""
        self.offer = offer
        self.relid = RelId(offer.child_relid)
        self.sig_event = offer.connection_id.to_bytes(8, "little")  # vmbus_setevent()'s argument

    async def vmbus_on_event(self) -> None:
        """vmbus_on_event(): run the callback, then allow interrupts again.

        What is left and too little for a packet is never read, and the tasklet comes back for it
        again and again (open item O38).
        """
        callback = self.onchannel_callback
        if callback is None:
            return
        await callback(self.callback_context)
        left_bytes = (self.inbound or inbound_ring(self)).end_read()
        if 0 < left_bytes < DESCRIPTOR_BYTES:
            raise EndlessLoop(
                f"the ring is never read to its end: {left_bytes} bytes are no packet"
            )
        if left_bytes:
            self.begin_read()

    def begin_read(self) -> None:
        """hv_begin_read() and the tasklet's schedule, for a channel that is open."""
        if self.onchannel_callback is not None:
            (self.inbound or inbound_ring(self)).begin_read()
            self.callback_event.schedule()


def outbound_ring(channel: VmbusChannel) -> Ring:
    """The ring to the host; a closed channel has none, and touching it is a NULL dereference."""
    if channel.outbound is None:
        raise NullDereference(f"outbound ring of channel {channel.relid} written after close")
    return channel.outbound


def inbound_ring(channel: VmbusChannel) -> Ring:
    """The ring from the host; a closed channel has none."""
    if channel.inbound is None:
        raise NullDereference(f"inbound ring of channel {channel.relid} read after close")
    return channel.inbound


class HvDevice(Allocated):
    """struct hv_device: one VMBus device. ``drvdata`` belongs to the bound driver.

    It begins with the reference of its registration; ``release`` is called with the last one.
    ``number`` counts the devices of the bus in the order in which they came; ``dead`` ones are on
    their way off it. ``driver_override`` names the one driver that may bind, if it is set.
    """

    __slots__ = ("channel", "dead", "dev_instance", "driver", "driver_override", "drvdata", "lock",
                 "name", "number", "references", "release", "vmbus")  # fmt: skip
    EMBEDDED = ("lock",)

    def __init__(
        self,
        vmbus: VmbusConnection,
        channel: VmbusChannel,
        instance: UUID,
        release: Callable[[HvDevice], Awaitable[None]],
    ) -> None:
        self.vmbus = vmbus
        self.references = RefCount(1)
        self.release = release
        self.channel = channel
        self.dev_instance = instance
        self.name = str(instance)
        self.lock = Mutex(vmbus.kernel, "device_lock")  # held over every probe and remove
        self.number = 0
        self.dead = False
        self.driver: HvDriver | None = None
        self.driver_override: str | None = None
        self.drvdata: Any = None


class HvDriver(Protocol):
    """struct hv_driver: what a VMBus driver brings. ``interface`` is the type it binds to."""

    name: str
    interface: UUID

    async def probe(self, hdev: HvDevice) -> int:
        """Bind to the device; 0 or a negative errno."""

    async def remove(self, hdev: HvDevice) -> None:
        """Let go of the device."""

    async def suspend(self, hdev: HvDevice) -> int:
        """Close the channel before hibernation; 0 or a negative errno."""

    async def resume(self, hdev: HvDevice) -> int:
        """Open it again; 0 or a negative errno."""
