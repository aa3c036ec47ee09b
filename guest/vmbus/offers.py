# SPDX-License-Identifier: MIT
"""Offers and rescinds: a channel appears with its device, and goes again.

After channel_mgmt.c. Each kind of message has its own queue, and probing a third: so a rescind can
overtake the offer it undoes, and waits for it where Linux waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.memory import GFP_ATOMIC, GFP_KERNEL
from guest.kernel.work import Work
from guest.vmbus.channel import ChannelState, HvDevice, VmbusChannel
from guest.vmbus.driver_core import bind_device, device_unregister, get_device, put_device
from guest.vmbus.open import vmbus_reset_channel_cb
from guest.vmbus.post import vmbus_post_msg
from protocol.ids import RelId
from protocol.vmbus import (
    VmbusChannelOfferChannel,
    VmbusChannelRelidReleased,
    VmbusChannelRescindOffer,
)

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection

RESCIND_POLL_MS = 1


async def vmbus_onoffer(vmbus: VmbusConnection, offer: VmbusChannelOfferChannel) -> None:
    """vmbus_onoffer() and vmbus_process_offer(): a channel object, then its probing queued."""
    identity = (offer.offer.if_type, offer.offer.if_instance)
    channel = await vmbus.kernel.kzalloc(VmbusChannel, GFP_ATOMIC, vmbus, offer)
    if channel is None:
        await _release_relid(vmbus, offer.child_relid)
        vmbus.offer_in_progress -= 1
        vmbus.kernel.log("err", "Unable to allocate channel object")
        return
    await vmbus.channel_mutex.lock()
    vmbus.offer_in_progress -= 1
    if identity in vmbus.primary_channels:
        # A second primary offer of an instance that is still here: Linux warns and drops it.
        await vmbus.channel_mutex.unlock()
        await vmbus.kernel.kfree(channel)
        vmbus.kernel.log("warn", "second offer of a primary channel dropped")
        return
    vmbus.primary_channels[identity] = channel
    vmbus.channels[channel.relid] = channel
    await vmbus.channel_mutex.unlock()
    work = Work(f"vmbus_add_channel_work/{channel.relid}", _add_channel_work, channel)
    channel.add_channel_work = work
    await vmbus.handle_primary_chan_wq.queue(work)


async def _add_channel_work(work: Work) -> None:
    """vmbus_add_channel_work(): create the device and probe it."""
    channel = work.owner
    assert isinstance(channel, VmbusChannel)
    vmbus = channel.vmbus
    channel.state = ChannelState.OPEN
    instance = channel.offer.offer.if_instance
    device = await vmbus.kernel.kzalloc(
        HvDevice, GFP_KERNEL, vmbus, channel, instance, vmbus_device_release
    )
    if device is None:
        await _forget_channel(channel)
        return
    channel.device_obj = device
    await bind_device(device)
    channel.probe_done = True


async def _forget_channel(channel: VmbusChannel) -> None:
    """vmbus_add_channel_work()'s error path: no device object, so the channel goes too."""
    vmbus = channel.vmbus
    await vmbus.channel_mutex.lock()
    channel.probe_done = True
    _unlink(channel)
    await vmbus.channel_mutex.unlock()
    await _release_relid(vmbus, channel.relid)
    await _free_channel(channel)


async def vmbus_onoffer_rescind(vmbus: VmbusConnection, rescind: VmbusChannelRescindOffer) -> None:
    """vmbus_onoffer_rescind(): stop the callback, raise the flag, wait for probe, unregister."""
    while vmbus.offer_in_progress:
        await ops.msleep(vmbus.kernel, RESCIND_POLL_MS)
    await vmbus.channel_mutex.lock()
    channel = vmbus.channels.get(RelId(rescind.child_relid))
    if channel is None or channel.rescind_ref:
        await vmbus.channel_mutex.unlock()
        return
    channel.rescind_ref = True
    await vmbus.channel_mutex.unlock()
    await vmbus_reset_channel_cb(channel)
    await _rescind_cleanup(channel)
    while not channel.probe_done:
        await ops.msleep(vmbus.kernel, RESCIND_POLL_MS)
    if channel.device_obj is not None:
        device = get_device(channel.device_obj)
        await device_unregister(device)
        await put_device(device)


async def _rescind_cleanup(channel: VmbusChannel) -> None:
    """vmbus_rescind_cleanup(): raise the flag and wake one request that waits for the host."""
    vmbus = channel.vmbus
    await vmbus.channelmsg_lock.lock_irqsave()
    channel.rescind = True
    for info in vmbus.chn_msg_list:
        if info.waiting_channel is channel:
            await info.waitevent.complete()
            break
    await vmbus.channelmsg_lock.unlock_irqrestore()


async def vmbus_device_release(device: HvDevice) -> None:
    """vmbus_device_release(): with the device's last reference the channel goes, too."""
    vmbus = device.vmbus
    channel = device.channel
    await vmbus.channel_mutex.lock()
    await _process_channel_removal(channel)
    await vmbus.channel_mutex.unlock()
    await vmbus.kernel.kfree(device)


async def _process_channel_removal(channel: VmbusChannel) -> None:
    """hv_process_channel_removal(): only for a rescinded channel (a BUG_ON in Linux)."""
    assert channel.rescind, "hv_process_channel_removal() of a channel that was not rescinded"
    _unlink(channel)
    await _release_relid(channel.vmbus, channel.relid)
    await _free_channel(channel)


def _unlink(channel: VmbusChannel) -> None:
    vmbus = channel.vmbus
    del vmbus.channels[channel.relid]
    identity = (channel.offer.offer.if_type, channel.offer.offer.if_instance)
    del vmbus.primary_channels[identity]


async def _release_relid(vmbus: VmbusConnection, relid: int) -> None:
    message = VmbusChannelRelidReleased(child_relid=relid)
    await vmbus_post_msg(vmbus, message.build())


async def _free_channel(channel: VmbusChannel) -> None:
    """free_channel() to vmbus_chan_release(): an interrupt may still look at the channel."""
    await channel.callback_event.kill()
    await channel.vmbus.rcu.kfree_rcu(channel)
