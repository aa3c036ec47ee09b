# SPDX-License-Identifier: MIT
"""Moving a channel's interrupt to another CPU: the ``cpu`` attribute in sysfs and its message.

After target_cpu_store() of vmbus_drv.c and vmbus_send_modifychannel() of channel.c.
"""

from __future__ import annotations

from errno import EAGAIN, EINVAL, EIO, ENOMEM

from guest.vmbus.channel import ChannelState, VmbusChannel
from guest.vmbus.post import begin_request, unlist_request, vmbus_post_msg
from protocol.ids import CpuId
from protocol.vmbus import ChannelMessageType, VmbusChannelModifychannel


async def target_cpu_store(channel: VmbusChannel, cpu: CpuId) -> int:
    """A write to the channel's ``cpu``: 0, -EIO (VMBus too old, not open, refused) or -EINVAL."""
    vmbus = channel.vmbus
    if vmbus.dialect is None or not vmbus.dialect.modify_channel:
        return -EIO
    hotplug = vmbus.kernel.hotplug
    await hotplug.lock.down_read()
    error = -EINVAL
    if vmbus.kernel.cpu_online_mask >> cpu & 1:
        error = await _move(channel, cpu)
    hotplug.lock.up_read()
    return error


async def _move(channel: VmbusChannel, cpu: CpuId) -> int:
    """The part that excludes the channel's closing."""
    vmbus = channel.vmbus
    await vmbus.channel_mutex.lock()
    error = 0
    if channel.state is not ChannelState.OPENED:
        error = -EIO
    elif cpu != channel.target_cpu:
        error = -EIO if await vmbus_send_modifychannel(channel, cpu) else 0
        if not error:
            channel.target_cpu = cpu
    await vmbus.channel_mutex.unlock()
    return error


async def vmbus_send_modifychannel(channel: VmbusChannel, cpu: CpuId) -> int:
    """Tell the host; from 5.3 on wait for its answer. 0, -ENOMEM, -EAGAIN or a posting error.

    The caller holds the channel mutex; it is let go while waiting, for a rescind needs it.
    """
    vmbus = channel.vmbus
    message = VmbusChannelModifychannel(
        child_relid=channel.relid, target_vp=vmbus.kernel.cpus[cpu].vp
    )
    if vmbus.dialect is None or not vmbus.dialect.modify_channel_response:
        return await vmbus_post_msg(vmbus, message.build())
    key = (ChannelMessageType.CHANNELMSG_MODIFYCHANNEL, channel.relid)
    info = await begin_request(vmbus, key, channel)
    if info is None:
        return -ENOMEM
    error = await vmbus_post_msg(vmbus, message.build())
    if not error:
        await vmbus.channel_mutex.unlock()
        await info.waitevent.wait()
        await vmbus.channel_mutex.lock()
    await unlist_request(vmbus, info)
    if not error and info.response is not None and info.response.status:
        error = -EAGAIN
    await vmbus.kernel.kfree(info)
    return error
