# SPDX-License-Identifier: MIT
"""Opening and closing a channel: ring, GPADL, OPEN, CLOSE. After drivers/hv/channel.c."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EAGAIN, EDQUOT, EINVAL, ENODEV, ENOMEM
from typing import Any

from guest.kernel import ops
from guest.kernel.memory import GFP_KERNEL
from guest.kernel.pages import PAGE_BYTES
from guest.vmbus.channel import ChannelState, Requestor, VmbusChannel
from guest.vmbus.post import begin_request, unlist_request, vmbus_post_msg
from protocol.ids import GpadlId
from protocol.ring import LINUX_RAW, Ring
from protocol.vmbus import (
    ChannelMessageType,
    GpaRange,
    VmbusChannelCloseChannel,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
    VmbusChannelOpenChannel,
)

MAX_USER_DEFINED_BYTES = 120
DEFAULT_MAX_PACKET_BYTES = 4096  # VMBUS_DEFAULT_MAX_PKT_SIZE
GPADL_HEADER_PFNS = 26
GPADL_BODY_PFNS = 28


async def vmbus_alloc_ring(channel: VmbusChannel, send_bytes: int, recv_bytes: int) -> int:
    """vmbus_alloc_ring(): one block of pages for both rings; 0, -EINVAL or -ENOMEM.

    Model: the pages are contiguous, as alloc_pages() gives them; there is no encryption here.
    """
    if send_bytes % PAGE_BYTES or recv_bytes % PAGE_BYTES:
        return -EINVAL
    kernel = channel.vmbus.kernel
    ops.forbid_sleep(kernel, "alloc_pages", "ring")
    if kernel.crowded:
        await ops.trap("alloc_pages ring")
    if kernel.allocation_fails("ring"):
        return -ENOMEM
    pages = (send_bytes + recv_bytes) // PAGE_BYTES
    channel.ring_gpa, _ = kernel.memory.alloc_pages(pages)
    channel.ring_pages = pages
    channel.ring_send_pages = send_bytes // PAGE_BYTES
    return 0


async def vmbus_free_ring(channel: VmbusChannel) -> None:
    """vmbus_free_ring(): the pages go; whoever uses the ring afterwards finds none."""
    channel.outbound = None
    channel.inbound = None
    if channel.ring_pages:
        kernel = channel.vmbus.kernel
        kernel.memory.free_pages(channel.ring_gpa)
        channel.ring_pages = 0
        if kernel.crowded:
            await ops.trap("free_pages ring")


async def vmbus_open(
    channel: VmbusChannel,
    send_bytes: int,
    recv_bytes: int,
    userdata: bytes,
    callback: Callable[[Any], Awaitable[None]],
    context: object,
) -> int:
    """vmbus_open(): allocate the rings and open; ``callback(context)`` is called for its events.

    Sizes in bytes, each with its header page. Returns 0 or -EINVAL, -ENOMEM, -ENODEV (rescinded),
    -EDQUOT (GPADL refused), -EAGAIN (OPEN refused).
    """
    error = await vmbus_alloc_ring(channel, send_bytes, recv_bytes)
    if error:
        return error
    error = await _open(channel, userdata, callback, context)
    if error:
        await vmbus_free_ring(channel)
    return error


async def _open(
    channel: VmbusChannel,
    userdata: bytes,
    callback: Callable[[Any], Awaitable[None]],
    context: object,
) -> int:
    if len(userdata) > MAX_USER_DEFINED_BYTES or channel.state is not ChannelState.OPEN:
        return -EINVAL
    kernel = channel.vmbus.kernel
    if channel.requestor_size:
        requestor = await kernel.kzalloc(Requestor, GFP_KERNEL, channel.requestor_size)
        if requestor is None:
            return -ENOMEM
        channel.requestor = requestor
    channel.state = ChannelState.OPENING
    channel.onchannel_callback = callback
    channel.callback_context = context
    channel.max_packet_bytes = channel.max_packet_bytes or DEFAULT_MAX_PACKET_BYTES
    error = await _establish_gpadl(channel)
    if not error:
        _init_rings(channel)
        error = await _post_open(channel, userdata)
        if not error:
            channel.state = ChannelState.OPENED
            return 0
        await vmbus_teardown_gpadl(channel)
    channel.outbound = channel.inbound = None
    await kernel.kfree(channel.requestor)
    channel.state = ChannelState.OPEN
    return error


def _init_rings(channel: VmbusChannel) -> None:
    """hv_ringbuffer_init() of both halves."""
    memory = channel.vmbus.kernel.memory
    block = memory.window(channel.ring_gpa, channel.ring_pages * PAGE_BYTES)
    split = channel.ring_send_pages * PAGE_BYTES
    channel.outbound = Ring(block[:split])
    channel.outbound.initialise()
    channel.inbound = Ring(block[split:], LINUX_RAW)
    channel.inbound.initialise()


async def _post_open(channel: VmbusChannel, userdata: bytes) -> int:
    """The OPENCHANNEL exchange; 0, -ENODEV, -EAGAIN or what posting gave."""
    vmbus = channel.vmbus
    relid = channel.relid
    key = (ChannelMessageType.CHANNELMSG_OPENCHANNEL, relid, relid)
    info = await begin_request(vmbus, key, channel)
    if info is None:
        return -ENOMEM
    await ops.point(vmbus.kernel, "read rescind")
    error = -ENODEV if channel.rescind else 0
    if not error:
        message = VmbusChannelOpenChannel(
            child_relid=relid,
            openid=relid,
            ringbuffer_gpadlhandle=channel.gpadl,
            target_vp=vmbus.kernel.cpus[channel.target_cpu].vp,
            downstream_ringbuffer_pageoffset=channel.ring_send_pages,
            userdata=userdata.ljust(MAX_USER_DEFINED_BYTES, b"\0"),
        )
        error = await vmbus_post_msg(vmbus, message.build())
    if not error:
        await info.waitevent.wait()
    await unlist_request(vmbus, info)
    if not error:
        if channel.rescind:
            error = -ENODEV
        elif info.response.status:
            error = -EAGAIN
    await vmbus.kernel.kfree(info)
    return error


async def _establish_gpadl(channel: VmbusChannel) -> int:
    """__vmbus_establish_gpadl() of the ring; 0, -ENODEV, -EDQUOT, -ENOMEM or a posting error."""
    vmbus = channel.vmbus
    handle = vmbus.take_gpadl_handle()
    key = (ChannelMessageType.CHANNELMSG_GPADL_HEADER, channel.relid, handle)
    info = await begin_request(vmbus, key, channel)
    if info is None:
        return -ENOMEM
    error = -ENODEV if channel.rescind else 0
    if not error:
        error = await _post_gpadl(channel, handle)
    if not error:
        await info.waitevent.wait()
        # A rescind wakes the waiter with no answer; Linux then reads the zeroed response.
        if info.response is not None and info.response.creation_status:
            vmbus.kernel.log("err", "Failed to establish GPADL")
            error = -EDQUOT
        elif channel.rescind:
            error = -ENODEV
        else:
            channel.gpadl = GpadlId(handle)
    await unlist_request(vmbus, info)
    await vmbus.kernel.kfree(info)
    return error


async def _post_gpadl(channel: VmbusChannel, handle: int) -> int:
    first_pfn = channel.ring_gpa // PAGE_BYTES
    pfns = tuple(range(first_pfn, first_pfn + channel.ring_pages))
    size = channel.ring_pages * PAGE_BYTES
    header = VmbusChannelGpadlHeader(
        child_relid=channel.relid,
        gpadl=handle,
        range_buflen=8 + 8 * len(pfns),
        rangecount=1,
        range=(GpaRange(size, 0, pfns[:GPADL_HEADER_PFNS]),),
    )
    error = await vmbus_post_msg(channel.vmbus, header.build())
    rest = pfns[GPADL_HEADER_PFNS:]
    while rest and not error:
        body = VmbusChannelGpadlBody(
            msgnumber=0,  # Linux leaves it so
            gpadl=handle,
            pfn=rest[:GPADL_BODY_PFNS],
        )
        error = await vmbus_post_msg(channel.vmbus, body.build())
        rest = rest[GPADL_BODY_PFNS:]
    return error


async def vmbus_teardown_gpadl(channel: VmbusChannel) -> int:
    """vmbus_teardown_gpadl(): not asked of a host that has rescinded."""
    vmbus = channel.vmbus
    key = (ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN, channel.gpadl)
    info = await begin_request(vmbus, key, channel)
    if info is None:
        return -ENOMEM
    error = 0
    if not channel.rescind:
        message = VmbusChannelGpadlTeardown(
            child_relid=channel.relid,
            gpadl=channel.gpadl,
        )
        error = await vmbus_post_msg(vmbus, message.build())
        if not error:
            await info.waitevent.wait()
            channel.gpadl = GpadlId(0)
    if channel.rescind:
        error = 0
    await unlist_request(vmbus, info)
    await vmbus.kernel.kfree(info)
    return error


async def vmbus_reset_channel_cb(channel: VmbusChannel) -> None:
    """vmbus_reset_channel_cb(): no callback of this channel runs after it."""
    await channel.callback_event.disable()
    await channel.sched_lock.lock_irqsave()
    channel.onchannel_callback = None
    await channel.sched_lock.unlock_irqrestore()
    await channel.callback_event.enable()


async def vmbus_close(channel: VmbusChannel) -> None:
    """vmbus_close(): CLOSE, tear down, free. A channel that is not open is left as it is."""
    vmbus = channel.vmbus
    await vmbus.channel_mutex.lock()
    error = await _close(channel)
    await vmbus.channel_mutex.unlock()
    if not error:
        await vmbus_free_ring(channel)


async def _close(channel: VmbusChannel) -> int:
    """vmbus_close_internal()."""
    vmbus = channel.vmbus
    await vmbus_reset_channel_cb(channel)
    if channel.state is not ChannelState.OPENED:
        return -EINVAL
    channel.state = ChannelState.OPEN
    message = VmbusChannelCloseChannel(child_relid=channel.relid)
    error = await vmbus_post_msg(vmbus, message.build())
    if error:
        vmbus.kernel.log("err", f"Close failed: close post msg return is {error}")
        return error
    if channel.gpadl:
        error = await vmbus_teardown_gpadl(channel)
        if error:
            vmbus.kernel.log("err", f"Close failed: teardown gpadl return {error}")
            return error
    await vmbus.kernel.kfree(channel.requestor)
    return 0
