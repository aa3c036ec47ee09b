# SPDX-License-Identifier: MIT
"""The dispatch of control messages: answers are handled at once, offers and rescinds may sleep.

After vmbus_on_msg_dpc()'s second half and vmbus_onmessage_work() of vmbus_drv.c.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from guest.kernel.memory import GFP_ATOMIC, Allocated
from guest.kernel.work import Work, WorkQueue
from guest.vmbus import answers
from protocol.codec import WireRecord
from protocol.synic import HV_MESSAGE_PAYLOAD_BYTE_COUNT
from protocol.vmbus import (
    ChannelMessageType,
    VmbusChannelOfferChannel,
    VmbusChannelRescindOffer,
)

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection

HV_MESSAGE_HEADER_BYTES = 16
MSGTYPE = slice(HV_MESSAGE_HEADER_BYTES, HV_MESSAGE_HEADER_BYTES + 4)
CHANNELMSG_COUNT = 25

Handler = Callable[["VmbusConnection", Any], Awaitable[None]]


class Blocking(NamedTuple):
    """A message whose handling may sleep: its queue, its record and the kernel's name for it."""

    queue_of: Callable[[VmbusConnection], WorkQueue]
    record: type[WireRecord]
    name: str
    handle: Handler


# Each kind has its queue, so a rescind can pass an offer.
BLOCKING: Mapping[int, Blocking] = {
    ChannelMessageType.CHANNELMSG_OFFERCHANNEL: Blocking(
        lambda vmbus: vmbus.work_queue,
        VmbusChannelOfferChannel,
        "vmbus_onoffer",
        lambda vmbus, offer: vmbus.vmbus_onoffer(offer),
    ),
    ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER: Blocking(
        lambda vmbus: vmbus.rescind_work_queue,
        VmbusChannelRescindOffer,
        "vmbus_onoffer_rescind",
        lambda vmbus, rescind: vmbus.vmbus_onoffer_rescind(rescind),
    ),
}


class OnMessageWork(Allocated):
    """struct onmessage_work_context: a control message that is handled where one may sleep."""

    __slots__ = ("handle", "message", "vmbus", "work")
    EMBEDDED = ("work",)

    def __init__(
        self, vmbus: VmbusConnection, work: Work, message: WireRecord, handle: Handler
    ) -> None:
        self.vmbus = vmbus
        self.work = work
        self.message = message
        self.handle = handle
        work.owner = self


async def dispatch_message(vmbus: VmbusConnection, message: bytes) -> bool:
    """Handle a message of the slot, or queue it; False without memory for that.

    One that is short, too long or unknown is dropped.
    Model: each is told, where Linux warns of the first of its kind only.
    """
    payload_bytes = message[4]
    payload = message[HV_MESSAGE_HEADER_BYTES : HV_MESSAGE_HEADER_BYTES + payload_bytes]
    msgtype = int.from_bytes(message[MSGTYPE], "little")
    if msgtype >= CHANNELMSG_COUNT:
        vmbus.kernel.log("warn", f"unknown msgtype={msgtype}")
        return True
    if payload_bytes > HV_MESSAGE_PAYLOAD_BYTE_COUNT:
        vmbus.kernel.log("warn", f"payload size is too large ({payload_bytes})")
        return True
    handler = answers.HANDLERS.get(msgtype)
    if handler is not None:
        record, handle = handler
        if record is None:
            await handle(vmbus, None)
        elif len(payload) < record.SIZE:
            vmbus.kernel.log("warn", f"message too short: msgtype={msgtype} len={len(payload)}")
        else:
            await handle(vmbus, record.parse(payload))
        return True
    if msgtype in BLOCKING:
        return await _queue_message(vmbus, msgtype, payload)
    return True


async def _queue_message(vmbus: VmbusConnection, msgtype: int, payload: bytes) -> bool:
    blocking = BLOCKING[msgtype]
    if len(payload) < blocking.record.SIZE:
        vmbus.kernel.log("warn", f"message too short: msgtype={msgtype} len={len(payload)}")
        return True
    work = Work(blocking.name, _run_message)
    message = blocking.record.parse(payload)
    context = await vmbus.kernel.kzalloc(
        OnMessageWork, GFP_ATOMIC, vmbus, work, message, blocking.handle
    )
    if context is None:
        return False
    if vmbus.ignore_any_offer_msg:
        return True  # nobody frees the context: so it is in Linux (open item O34)
    if msgtype == ChannelMessageType.CHANNELMSG_OFFERCHANNEL:
        vmbus.offer_in_progress += 1
    await blocking.queue_of(vmbus).queue(work)
    return True


async def _run_message(work: Work) -> None:
    """vmbus_onmessage_work()."""
    context = work.owner
    assert isinstance(context, OnMessageWork)
    await context.handle(context.vmbus, context.message)
    await context.vmbus.kernel.kfree(context)
