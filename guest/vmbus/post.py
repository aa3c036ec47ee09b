# SPDX-License-Identifier: MIT
"""Control messages to the host, and the requests that wait for an answer."""

from __future__ import annotations

from collections.abc import Mapping
from errno import EAGAIN, EINVAL, ENOBUFS, ENXIO
from typing import TYPE_CHECKING, Any

from guest.kernel import ops
from guest.kernel.lists import ListHead, ListNode
from guest.kernel.memory import GFP_KERNEL, Allocated
from guest.kernel.sync import Completion, SpinLock
from protocol.hypercall import (
    HV_STATUS_INSUFFICIENT_BUFFERS,
    HV_STATUS_INSUFFICIENT_MEMORY,
    HV_STATUS_INVALID_CONNECTION_ID,
    HV_STATUS_SUCCESS,
    HVCALL_POST_MESSAGE,
)
from protocol.link import MessagePosted
from protocol.synic import POSTED_PAYLOAD_AT, HvInputPostMessage
from protocol.vmbus import ChannelMessageType

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from guest.vmbus.channel import VmbusChannel

_NAMES: Mapping[int, str] = {message.value: message.name for message in ChannelMessageType}
US_PER_MS = 1000
POST_TRIES = 100
POST_DOUBLINGS = 21  # the delay grows from 1 us to 2.097 s and stays there


class ChannelMessageInfo(Allocated):
    """struct vmbus_channel_msginfo: a request, who waits for it, and its answer.

    ``key`` is what the answer must match: (message type, relid, handle).
    """

    __slots__ = ("key", "list_entry", "response", "waitevent", "waiting_channel")
    EMBEDDED = ("list_entry", "waitevent")

    def __init__(
        self, kernel: Kernel, key: tuple[int, ...], waiting_channel: VmbusChannel | None
    ) -> None:
        self.key = key
        self.waiting_channel = waiting_channel
        self.waitevent = Completion(kernel, _NAMES[key[0]])
        self.response: Any = None  # the record that answers; None after a mere wake-up
        self.list_entry = ListNode(self)


class Posting:
    """What posting needs of the connection."""

    post_tries = POST_TRIES
    post_doublings = POST_DOUBLINGS
    kernel: Kernel
    msg_conn_id: int
    chn_msg_list: ListHead[ChannelMessageInfo]
    channelmsg_lock: SpinLock


async def vmbus_post_msg(vmbus: Posting, payload: bytes) -> int:
    """vmbus_post_msg(): hand a message to the host, again while it is short of buffers.

    Returns 0; -ENXIO for an INITIATE_CONTACT to a connection id the host does not know; -EAGAIN,
    -ENOBUFS or -EINVAL as the last try ended.
    """
    kernel = vmbus.kernel
    call = HvInputPostMessage(connectionid=vmbus.msg_conn_id, payload_size=len(payload)).build()
    filled_in = call[:POSTED_PAYLOAD_AT] + payload
    delay_us = 1
    error = 0
    for attempt in range(vmbus.post_tries):
        if kernel.crowded:
            await ops.offer(kernel, "post_message")
        page = kernel.current_cpu().input_page
        page[: len(filled_in)] = filled_in
        status = kernel.hypercall(HVCALL_POST_MESSAGE, bytes(page[: len(call)])).status
        if status == HV_STATUS_SUCCESS:
            kernel.emit(MessagePosted("guest-to-host", payload))
            return 0
        if status == HV_STATUS_INVALID_CONNECTION_ID:
            if payload[0] == ChannelMessageType.CHANNELMSG_INITIATE_CONTACT:
                return -ENXIO
            error = -EAGAIN
        elif status in (HV_STATUS_INSUFFICIENT_MEMORY, HV_STATUS_INSUFFICIENT_BUFFERS):
            error = -ENOBUFS
        else:
            kernel.log("err", f"hv_post_msg() failed; error code:{status}")
            return -EINVAL
        if delay_us > US_PER_MS:
            await ops.msleep(kernel, delay_us // US_PER_MS)
        else:
            await ops.udelay(kernel, delay_us)
        if attempt < vmbus.post_doublings:
            delay_us *= 2
    return error


async def begin_request(
    vmbus: Posting, key: tuple[int, ...], channel: VmbusChannel | None
) -> ChannelMessageInfo | None:
    """Allocate a request and put it on the list of those that wait; None without memory."""
    info = await vmbus.kernel.kzalloc(ChannelMessageInfo, GFP_KERNEL, vmbus.kernel, key, channel)
    if info is not None:
        await vmbus.channelmsg_lock.lock_irqsave()
        vmbus.chn_msg_list.add_tail(info)
        await vmbus.channelmsg_lock.unlock_irqrestore()
    return info


async def unlist_request(vmbus: Posting, info: ChannelMessageInfo) -> None:
    """Take a request off the list of those that wait."""
    await vmbus.channelmsg_lock.lock_irqsave()
    vmbus.chn_msg_list.delete(info)
    await vmbus.channelmsg_lock.unlock_irqrestore()


async def answer_request(vmbus: Posting, key: tuple[int, ...], response: object) -> None:
    """Give the answer to the oldest request that it matches, if any still waits."""
    await vmbus.channelmsg_lock.lock_irqsave()
    for info in vmbus.chn_msg_list:
        if info.key == key:
            info.response = response
            await info.waitevent.complete()
            break
    await vmbus.channelmsg_lock.unlock_irqrestore()
