# SPDX-License-Identifier: MIT
"""GPADLs: telling the host which pages a ring lies in, and taking that back. After channel.c."""

from __future__ import annotations

from errno import EDQUOT, ENODEV, ENOMEM

from guest.kernel.pages import PAGE_BYTES
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.post import begin_request, unlist_request, vmbus_post_msg
from protocol.ids import GpadlId
from protocol.vmbus import (
    ChannelMessageType,
    GpaRange,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTeardown,
)

GPADL_HEADER_PFNS = 26
GPADL_BODY_PFNS = 28


async def vmbus_establish_gpadl(channel: VmbusChannel) -> int:
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
