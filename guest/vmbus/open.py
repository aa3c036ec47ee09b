# SPDX-License-Identifier: MIT
"""Opening and closing a channel: ring, GPADL, OPEN, CLOSE. After drivers/hv/channel.c."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EAGAIN, EINVAL, ENODEV, ENOMEM
from typing import TYPE_CHECKING, Any

from guest.events import FunctionReturned
from guest.kernel import ops
from guest.kernel.memory import GFP_KERNEL
from guest.kernel.pages import PAGE_BYTES
from guest.vmbus.channel import ChannelState, Requestor, VmbusChannel
from guest.vmbus.gpadl import vmbus_establish_gpadl, vmbus_teardown_gpadl
from guest.vmbus.post import (
    ChannelMessageInfo,
    Posting,
    begin_request,
    unlist_request,
    vmbus_post_msg,
)
from protocol.ring import LINUX_RAW, Ring
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelCloseChannel,
    VmbusChannelOpenChannel,
)

if TYPE_CHECKING:
    from guest.kernel.sync import Mutex

MAX_USER_DEFINED_BYTES = 120
DEFAULT_MAX_PACKET_BYTES = 4096  # VMBUS_DEFAULT_MAX_PKT_SIZE


async def vmbus_alloc_ring(channel: VmbusChannel, send_bytes: int, recv_bytes: int) -> int:
    """vmbus_alloc_ring(): one block of pages for both rings; 0, -EINVAL or -ENOMEM.

    Model: the pages are contiguous, as alloc_pages() gives them; there is no encryption here.
    """
    if send_bytes % PAGE_BYTES or recv_bytes % PAGE_BYTES:
        return -EINVAL
    kernel = channel.vmbus.kernel
    ops.forbid_sleep(kernel, "alloc_pages", "ring")
    if kernel.crowded:
        await ops.offer(kernel, "alloc_pages ring")
    pages = (send_bytes + recv_bytes) // PAGE_BYTES
    if kernel.allocation_fails("ring") or not kernel.memory.has_room(pages):
        return -ENOMEM
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
            await ops.offer(kernel, "free_pages ring")


def _init_rings(channel: VmbusChannel) -> None:
    """hv_ringbuffer_init() of both halves."""
    memory = channel.vmbus.kernel.memory
    block = memory.window(channel.ring_gpa, channel.ring_pages * PAGE_BYTES)
    split = channel.ring_send_pages * PAGE_BYTES
    channel.outbound = Ring(block[:split])
    channel.outbound.initialise()
    channel.inbound = Ring(block[split:], LINUX_RAW)
    channel.inbound.initialise()


async def vmbus_reset_channel_cb(channel: VmbusChannel) -> None:
    """vmbus_reset_channel_cb(): no callback of this channel runs after it."""
    await channel.callback_event.disable()
    await channel.sched_lock.lock_irqsave()
    channel.onchannel_callback = None
    await channel.sched_lock.unlock_irqrestore()
    await channel.callback_event.enable()


class Opening(Posting):
    """Opening and closing, as the drivers of the bus's devices ask for it."""

    channel_mutex: Mutex

    async def vmbus_open(
        self,
        channel: VmbusChannel,
        send_bytes: int,
        recv_bytes: int,
        userdata: bytes,
        callback: Callable[[Any], Awaitable[None]],
        context: object,
    ) -> int:
        """vmbus_open(): allocate the rings and open; ``callback(context)`` is called for events.

        Sizes in bytes, each with its header page. Returns 0 or -EINVAL, -ENOMEM, -ENODEV
        (rescinded), -EDQUOT (GPADL refused), -EAGAIN (OPEN refused).
        """
        error = await vmbus_alloc_ring(channel, send_bytes, recv_bytes)
        if error:
            return error
        error = await self._open(channel, userdata, callback, context)
        if error:
            await vmbus_free_ring(channel)
        return error

    async def _open(
        self,
        channel: VmbusChannel,
        userdata: bytes,
        callback: Callable[[Any], Awaitable[None]],
        context: object,
    ) -> int:
        """__vmbus_open()."""
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
        error = await vmbus_establish_gpadl(channel)
        if not error:
            _init_rings(channel)
            error = await self._post_open(channel, userdata)
            if not error:
                channel.state = ChannelState.OPENED
                return 0
            await vmbus_teardown_gpadl(channel)
        channel.outbound = channel.inbound = None
        await kernel.kfree(channel.requestor)
        channel.state = ChannelState.OPEN
        return error

    async def _post_open(self, channel: VmbusChannel, userdata: bytes) -> int:
        """The OPENCHANNEL exchange; 0, -ENODEV, -EAGAIN or what posting gave."""
        vmbus = channel.vmbus
        key = (ChannelMessageType.CHANNELMSG_OPENCHANNEL, channel.relid, channel.relid)
        info = await begin_request(vmbus, key, channel)
        if info is None:
            return -ENOMEM
        await ops.point(vmbus.kernel, "read rescind")
        if channel.rescind:
            return await self.abandon_open(channel, info)
        error = await vmbus_post_msg(vmbus, _open_message(channel, userdata))
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

    async def abandon_open(self, channel: VmbusChannel, info: ChannelMessageInfo) -> int:
        """The channel was rescinded before it was asked for: forget the request. -ENODEV."""
        await unlist_request(channel.vmbus, info)
        await channel.vmbus.kernel.kfree(info)
        return -ENODEV

    async def vmbus_close(self, channel: VmbusChannel) -> None:
        """vmbus_close(): CLOSE, tear down, free. A channel that is not open is left as it is.

        Where closing fails the host may still know the ring, so that it is never freed; when the
        channel opens again nobody knows it any more (open item O35).
        """
        await self.channel_mutex.lock()
        was_open = channel.state is ChannelState.OPENED
        error = await self._close(channel)
        await self.channel_mutex.unlock()
        if not error:
            await vmbus_free_ring(channel)
        elif was_open:
            channel.vmbus.kernel.emit(FunctionReturned(channel.relid, "vmbus_close", error))

    async def _close(self, channel: VmbusChannel) -> int:
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


def _open_message(channel: VmbusChannel, userdata: bytes) -> bytes:
    return VmbusChannelOpenChannel(
        child_relid=channel.relid,
        openid=channel.relid,
        ringbuffer_gpadlhandle=channel.gpadl,
        target_vp=channel.vmbus.kernel.cpus[channel.target_cpu].vp,
        downstream_ringbuffer_pageoffset=channel.ring_send_pages,
        userdata=userdata.ljust(MAX_USER_DEFINED_BYTES, b"\0"),
    ).build()
