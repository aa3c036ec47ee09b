# SPDX-License-Identifier: MIT
"""A rescinded device without a driver kept its channel: only a driver's close let it go.

Until 34c6801e3310 the channel of a rescinded device was removed at the end of vmbus_close(), which
nobody calls for a device that no driver has. The fix moved the removal to the device's release.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import HvDevice, VmbusChannel
from guest.vmbus.offers import Offers


class ChannelRemovedInClose(Offers):
    """The removal stands at the end of vmbus_close() and not in vmbus_device_release()."""

    async def vmbus_close(self, channel: VmbusChannel) -> None:
        await super().vmbus_close(channel)
        if channel.rescind:
            await self.channel_mutex.lock()
            await self.hv_process_channel_removal(channel)
            await self.channel_mutex.unlock()

    async def vmbus_device_release(self, device: HvDevice) -> None:
        await self.kernel.kfree(device)


DEFECT = Defect(
    id="rescind-no-driver",
    subject="Drivers: hv: vmbus: fix rescind-offer handling for device without a driver",
    commit="34c6801e3310",
    commit_check="unconfirmed",
    cls="E",
    fixed="2015-12 / v4.5",
    scenario="rescind-unloaded",
    expect="leak",
    why=(
        "The relid of a rescinded device that no driver has is never released, so the host "
        "cannot offer the device again."
    ),
    mixins=(Mixin("vmbus", ChannelRemovedInClose),),
)
