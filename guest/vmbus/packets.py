# SPDX-License-Identifier: MIT
"""Packets over an open channel: send, receive, match, signal. After channel.c and ring_buffer.c."""

from __future__ import annotations

from collections.abc import Awaitable
from errno import EAGAIN, EIO, ENOBUFS, ENODEV

from guest.kernel import ops
from guest.kernel.alone import alone
from guest.kernel.faults import EndlessLoop
from guest.vmbus.channel import (
    NO_REQUESTOR,
    REQUEST_ID_ERROR,
    VmbusChannel,
    inbound_ring,
    outbound_ring,
)
from protocol.hypercall import HV_HYPERCALL_FAST_BIT, HVCALL_SIGNAL_EVENT
from protocol.ids import TransactionId
from protocol.link import PacketPublished
from protocol.ring import TRAILER_BYTES, Packet, RingCorrupt, RingFull
from protocol.vmbus import VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED

_SIGNAL_EVENT = HVCALL_SIGNAL_EVENT | HV_HYPERCALL_FAST_BIT


async def vmbus_sendpacket(
    channel: VmbusChannel, payload: bytes, request: object, packet_type: int, flags: int
) -> int:
    """vmbus_sendpacket(): 0, -ENODEV (rescinded), -EAGAIN (ring or id table full), -EIO."""
    error, _ = await vmbus_sendpacket_getid(channel, payload, request, packet_type, flags)
    return error


async def vmbus_sendpacket_getid(
    channel: VmbusChannel, payload: bytes, request: object, packet_type: int, flags: int
) -> tuple[int, TransactionId]:
    """hv_ringbuffer_write(): publish a packet and signal if the ring was empty.

    ``request`` is what a completion finds again; a packet without a completion carries id 0.
    Returns (error, wire id); errors as in :func:`vmbus_sendpacket`.
    """
    kernel = channel.vmbus.kernel
    if kernel.crowded:
        await ops.offer(kernel, "sendpacket")
    if channel.vmbus.nobody_reads(channel):
        return -ENODEV, NO_REQUESTOR
    lock = channel.ring_lock
    lone = alone(kernel, lock) and channel.requestor_lock.owner is None  # then nothing suspends
    if not lone:
        await lock.lock_irqsave()
    error, transaction_id, signal = await _write(channel, payload, request, packet_type, flags)
    if not lone:
        await lock.unlock_irqrestore()
    if error:
        return error, NO_REQUESTOR
    if signal:
        vmbus_setevent(channel)
    if kernel.crowded:
        await ops.offer(kernel, "published")
    if channel.rescind:
        if transaction_id:
            await vmbus_request_addr_match(channel, transaction_id, None)
        return -ENODEV, transaction_id
    return 0, transaction_id


async def _write(
    channel: VmbusChannel, payload: bytes, request: object, packet_type: int, flags: int
) -> tuple[int, TransactionId, bool]:
    """Under the ring lock: (error, wire id, whether the host must be signalled).

    The id is taken when everything else is known to be well, so that an error has none to give
    back. Model: an index that the host spoils while the id is waited for is refused as well; Linux
    does not read it again. The id is lost then.
    """
    ring = channel.outbound or outbound_ring(channel)
    ring_is_full = channel.vmbus.kernel.ring_is_full
    if ring_is_full is not None and ring_is_full(payload):
        return -EAGAIN, NO_REQUESTOR, False
    transaction_id = TransactionId(0)
    try:
        if flags == VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED and channel.requestor_size:
            if not ring.has_room(len(payload)):
                return -EAGAIN, NO_REQUESTOR, False
            transaction_id = await vmbus_next_request_id(channel, request)
            if transaction_id == REQUEST_ID_ERROR:
                return -EAGAIN, NO_REQUESTOR, False
        signal = ring.write(packet_type, flags, transaction_id, payload)
    except RingFull:
        return -EAGAIN, NO_REQUESTOR, False
    except RingCorrupt as corrupt:
        channel.vmbus.kernel.log("err", f"outbound {corrupt}: relid {channel.relid}")
        return -EIO, NO_REQUESTOR, False
    channel.vmbus.kernel.emit(
        PacketPublished("guest-to-host", channel.relid, packet_type, transaction_id, flags, payload)
    )
    return 0, transaction_id, signal


async def vmbus_next_request_id(channel: VmbusChannel, request: object) -> TransactionId:
    """vmbus_next_request_id(): an id that leads to ``request``, or REQUEST_ID_ERROR.

    The lock is taken where somebody holds it: taking an id suspends nowhere, so that nobody could
    find it held by us. A completion function that sends holds it itself.
    """
    requestor = channel.requestor
    assert requestor is not None, "a channel with a ring has its requestor"
    lock = channel.requestor_lock
    if lock.owner is None:
        return requestor.next_id(request)
    await lock.lock_irqsave()
    transaction_id = requestor.next_id(request)
    await lock.unlock_irqrestore()
    return transaction_id


def vmbus_setevent(channel: VmbusChannel) -> None:
    """vmbus_setevent(): the signal-event hypercall, its two parameters in a register.

    Model: every channel has a dedicated interrupt (hosts since Windows 8), so no bit is set in the
    send-interrupt page; no channel asks for the monitor page.
    """
    channel.vmbus.kernel.hypercall(_SIGNAL_EVENT, channel.sig_event)


def vmbus_recvpacket_raw(channel: VmbusChannel, buffer_bytes: int) -> tuple[int, Packet | None]:
    """vmbus_recvpacket_raw(): (0, packet), or (0, None) when there is none.

    (-ENOBUFS, packet) leaves the packet in the ring: ``packet.size``, the whole packet with its
    descriptor in bytes, is the buffer it wants. The read index is published per packet. The caller
    has passed the point "recvpacket".

    Linux does not look whether the host's write index lies within the ring (hv_pkt_iter_avail()):
    one that does not is never reached, and there is always more to read (open item O30). Nor does
    it look whether a packet ends before that index (open item O38).
    """
    ring = channel.inbound or inbound_ring(channel)
    try:
        packet = ring.peek(channel.max_packet_bytes)
    except RingCorrupt as corrupt:
        raise EndlessLoop(f"the ring is never read to its end: {corrupt}") from None
    if packet is None:
        return 0, None
    if packet.size > buffer_bytes:
        return -ENOBUFS, packet
    ring.consume(packet)
    if ring.must_signal_space(packet.size + TRAILER_BYTES):
        vmbus_setevent(channel)
    return 0, packet


def lock_requestor(channel: VmbusChannel) -> Awaitable[None]:
    """lock_requestor()."""
    return channel.requestor_lock.lock_irqsave()


def unlock_requestor(channel: VmbusChannel) -> Awaitable[None]:
    """unlock_requestor()."""
    return channel.requestor_lock.unlock_irqrestore()


def vmbus_request_addr_match_locked(
    channel: VmbusChannel, transaction_id: int, request: object | None
) -> object | None:
    """__vmbus_request_addr_match(), under the requestor lock: the stored request, or None.

    Linux's VMBUS_RQST_ERROR is None here; its VMBUS_RQST_ADDR_ANY is a ``request`` of None.
    """
    requestor = channel.requestor
    if requestor is None or not 0 < transaction_id <= channel.requestor_size:
        return None
    return requestor.match(transaction_id, request)


async def vmbus_request_addr_match(
    channel: VmbusChannel, transaction_id: int, request: object | None
) -> object | None:
    """vmbus_request_addr_match(): look up and, if it is ``request``, remove an id."""
    await lock_requestor(channel)
    found = vmbus_request_addr_match_locked(channel, transaction_id, request)
    await unlock_requestor(channel)
    return found
