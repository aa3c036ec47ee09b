# SPDX-License-Identifier: MIT
"""Offers and rescinds: a channel appears with its device, and goes again.

After channel_mgmt.c. Each kind of message has its own queue, and probing a third: so a rescind can
overtake the offer it undoes, and waits for it where Linux waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guest.events import RescindFlagRaised
from guest.kernel import ops
from guest.kernel.memory import GFP_ATOMIC, GFP_KERNEL
from guest.kernel.work import Work
from guest.vmbus.channel import INVALID_RELID, ChannelState, HvDevice, VmbusChannel
from guest.vmbus.driver_core import device_register, device_unregister, get_device, put_device
from guest.vmbus.open import Opening, vmbus_reset_channel_cb
from guest.vmbus.post import vmbus_post_msg
from protocol.ids import RelId
from protocol.vmbus import (
    HV_EVENT_FLAGS_COUNT,
    VmbusChannelOfferChannel,
    VmbusChannelRelidReleased,
    VmbusChannelRescindOffer,
)

if TYPE_CHECKING:
    from uuid import UUID

    from guest.isolation import Isolation
    from guest.kernel.work import WorkQueue

RESCIND_POLL_MS = 1
MAX_CHANNEL_RELIDS = HV_EVENT_FLAGS_COUNT  # a relid is an event flag's number


class Offers(Opening):
    """Channels and their devices, from offer to release."""

    isolation: Isolation
    channels: dict[RelId, VmbusChannel]
    refused_relids: set[RelId]  # of devices that an isolated guest leaves alone
    primary_channels: dict[tuple[UUID, UUID], VmbusChannel]
    by_instance: dict[UUID, list[VmbusChannel]]  # the same, the oldest first
    offer_in_progress: int
    handle_primary_chan_wq: WorkQueue

    async def take_up_again(self, old: VmbusChannel, offer: VmbusChannelOfferChannel) -> None:
        """The rest of vmbus_onoffer() for a channel there is (``guest.vmbus.power``)."""
        raise NotImplementedError

    async def vmbus_onoffer(self, offer: VmbusChannelOfferChannel) -> None:
        """vmbus_onoffer(): a channel object for the offer, or its relid back without memory.

        An isolated guest leaves devices of other kinds alone and tells nobody: their relids stay.
        An offer of an instance that has a channel is taken for one after hibernation.
        """
        if not self.isolation.takes(offer.offer.if_type):
            self.kernel.log("err", f"Invalid offer {offer.child_relid} from the host")
            self.refused_relids.add(RelId(offer.child_relid))
            self.offer_in_progress -= 1
            return
        old = self.find_primary_channel_by_offer(offer)
        if old is not None:
            await self.take_up_again(old, offer)
            return
        channel = await self.kernel.kzalloc(VmbusChannel, GFP_ATOMIC, self, offer)
        if channel is not None:
            await self.vmbus_process_offer(channel)
            return
        await self.refuse_offer(offer)
        self.offer_in_progress -= 1
        self.kernel.log("err", "Unable to allocate channel object")

    async def refuse_offer(self, offer: VmbusChannelOfferChannel) -> None:
        """There is no memory for the channel: the host has its relid back."""
        await self.vmbus_release_relid(offer.child_relid)

    def find_primary_channel_by_offer(self, offer: VmbusChannelOfferChannel) -> VmbusChannel | None:
        """find_primary_channel_by_offer(): who has the instance id; the type is not looked at.

        Model: without channel_mutex, since nothing suspends meanwhile; and looked up, where Linux
        walks the list. Of two with one instance, which are of different types, the older counts.
        """
        found = self.by_instance.get(offer.offer.if_instance)
        return found[0] if found else None

    async def vmbus_process_offer(self, channel: VmbusChannel) -> None:
        """vmbus_process_offer(): enter the channel, then queue its probing.

        No CPU goes between the choice of the channel's CPU and its entry in the list.
        """
        hotplug = self.kernel.hotplug
        await hotplug.lock.down_read()
        listed = await self._list_channel(channel)
        hotplug.lock.up_read()
        if listed:
            work = Work(
                f"vmbus_add_channel_work/{channel.relid}", self.vmbus_add_channel_work, channel
            )
            channel.add_channel_work = work
            await self.queue_add_channel(work)

    async def _list_channel(self, channel: VmbusChannel) -> bool:
        """False for a second primary offer of an instance that is still here."""
        identity = _identity(channel)
        await self.channel_mutex.lock()
        self.offer_in_progress -= 1
        if identity in self.primary_channels:
            await self.channel_mutex.unlock()
            await self.kernel.kfree(channel)
            self.kernel.log("warn", "second offer of a primary channel dropped")
            return False
        self.primary_channels[identity] = channel
        self.by_instance.setdefault(identity[1], []).append(channel)
        self.map_relid(channel)
        await self.channel_mutex.unlock()
        return True

    async def queue_add_channel(self, work: Work) -> None:
        """Probing may wait for the host: neither offers nor rescinds may wait for it."""
        await self.handle_primary_chan_wq.queue(work)

    async def vmbus_add_channel_work(self, work: Work) -> None:
        """vmbus_add_channel_work(): create the device and probe it."""
        channel = work.owner
        assert isinstance(channel, VmbusChannel)
        channel.state = ChannelState.OPEN
        instance = channel.offer.offer.if_instance
        device = await self.kernel.kzalloc(
            HvDevice, GFP_KERNEL, channel.vmbus, channel, instance, self.vmbus_device_release
        )
        if device is None:
            await self._forget_channel(channel)
            return
        channel.device_obj = device
        await device_register(device)
        channel.probe_done = True

    async def _forget_channel(self, channel: VmbusChannel) -> None:
        """vmbus_add_channel_work()'s error path: no device object, so the channel goes too."""
        await self.channel_mutex.lock()
        channel.probe_done = True
        self._unlink(channel)
        await self.channel_mutex.unlock()
        await self.vmbus_release_relid(channel.relid)
        await self.free_channel(channel)

    async def vmbus_onoffer_rescind(self, rescind: VmbusChannelRescindOffer) -> None:
        """vmbus_onoffer_rescind(): stop the callback, raise the flag, wait for probe, unregister.

        The callback is stopped before the flag can be seen, because whoever sees the flag returns,
        and the stack frame that an answer would complete dies.
        """
        while self.offer_in_progress:
            await ops.msleep(self.kernel, RESCIND_POLL_MS)
        await self.channel_mutex.lock()
        channel = self.channels.get(RelId(rescind.child_relid))
        if channel is None or not self.claim_rescind(channel):
            await self.channel_mutex.unlock()
            return
        await self.channel_mutex.unlock()
        await self.stop_callback(channel)
        await self.vmbus_rescind_cleanup(channel)
        await self.wait_for_probe(channel)
        await self.unregister_rescinded(channel)

    def claim_rescind(self, channel: VmbusChannel) -> bool:
        """Whether no other rescind has the channel in hand; under ``channel_mutex``."""
        if channel.rescind_ref:
            return False
        channel.rescind_ref = True
        return True

    async def stop_callback(self, channel: VmbusChannel) -> None:
        """From here on no answer completes anything."""
        await vmbus_reset_channel_cb(channel)

    async def vmbus_rescind_cleanup(self, channel: VmbusChannel) -> None:
        """vmbus_rescind_cleanup(): raise the flag and wake one request that waits for the host."""
        await self.channelmsg_lock.lock_irqsave()
        channel.rescind = True
        self.kernel.emit(RescindFlagRaised(channel.relid))
        await self.wake_waiter(channel)
        await self.channelmsg_lock.unlock_irqrestore()

    async def wake_waiter(self, channel: VmbusChannel) -> None:
        """The host answers nothing any more; whoever waits must look at the flag."""
        for info in self.chn_msg_list:
            if info.waiting_channel is channel:
                await info.waitevent.complete()
                break

    async def wait_for_probe(self, channel: VmbusChannel) -> None:
        """Let the offer's own work finish with the device first."""
        while not channel.probe_done:
            await ops.msleep(self.kernel, RESCIND_POLL_MS)

    async def unregister_rescinded(self, channel: VmbusChannel) -> None:
        """The device goes, and with its last reference the channel: touch neither afterwards."""
        if channel.device_obj is not None:
            device = get_device(channel.device_obj)
            await device_unregister(device)
            await put_device(device)

    async def vmbus_device_release(self, device: HvDevice) -> None:
        """vmbus_device_release(): with the device's last reference the channel goes, too."""
        await self.channel_mutex.lock()
        await self.hv_process_channel_removal(device.channel)
        await self.channel_mutex.unlock()
        await self.kernel.kfree(device)

    async def hv_process_channel_removal(self, channel: VmbusChannel) -> None:
        """hv_process_channel_removal(): only for a rescinded channel (a BUG_ON in Linux)."""
        assert channel.rescind, "hv_process_channel_removal() of a channel that was not rescinded"
        self._unlink(channel)
        if channel.relid != INVALID_RELID:
            await self.vmbus_release_relid(channel.relid)
        await self.free_channel(channel)

    def _unlink(self, channel: VmbusChannel) -> None:
        self.unmap_relid(channel)
        identity = _identity(channel)
        if self.primary_channels.get(identity) is channel:
            del self.primary_channels[identity]
        self.by_instance[identity[1]].remove(channel)
        if not self.by_instance[identity[1]]:
            del self.by_instance[identity[1]]

    def replace_offer(self, channel: VmbusChannel, offer: VmbusChannelOfferChannel) -> None:
        """What is known of a listed channel; a host may say of an instance that its type differs.

        Model: two channels may come to be of one type and instance then. Linux finds the one that
        is first in its list, here it is the one that was so first.
        """
        identity = _identity(channel)
        if self.primary_channels.get(identity) is channel:
            del self.primary_channels[identity]
        channel.setup_state(offer)
        self.primary_channels.setdefault(_identity(channel), channel)

    def map_relid(self, channel: VmbusChannel) -> None:
        """vmbus_channel_map_relid(): whoever had the number before has it no longer."""
        if channel.relid >= MAX_CHANNEL_RELIDS:
            self.kernel.log("warn", f"relid {channel.relid} has no place in the table")
            return
        self.channels[channel.relid] = channel

    def unmap_relid(self, channel: VmbusChannel) -> None:
        """vmbus_channel_unmap_relid(): no interrupt finds the channel from here on.

        Nor does it another one, to which a host has given the same number.
        """
        if channel.relid != INVALID_RELID:
            self.channels.pop(channel.relid, None)

    async def vmbus_release_relid(self, relid: int) -> None:
        """vmbus_release_relid(): the host may use the number again."""
        message = VmbusChannelRelidReleased(child_relid=relid)
        await vmbus_post_msg(self, message.build())

    async def free_channel(self, channel: VmbusChannel) -> None:
        """free_channel() to vmbus_chan_release(): an interrupt may still look at the channel."""
        await channel.callback_event.kill()
        await channel.vmbus.rcu.kfree_rcu(channel)


def _identity(channel: VmbusChannel) -> tuple[UUID, UUID]:
    """What makes two offers the same device: its type and its instance."""
    offer = channel.offer.offer
    return offer.if_type, offer.if_instance
