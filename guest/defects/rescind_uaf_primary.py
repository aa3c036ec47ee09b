# SPDX-License-Identifier: MIT
"""A rescind read the channel after the device that kept it was unregistered.

Since e3fa4b747f08 only a channel without a device is asked for its primary channel.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class ReadsPrimary(Offers):
    """vmbus_onoffer_rescind() that asks for the primary channel in any case."""

    async def unregister_rescinded(self, channel: VmbusChannel) -> None:
        await super().unregister_rescinded(channel)
        if channel.offer.offer.sub_channel_index:
            self.kernel.log("info", "a sub-channel was rescinded")


DEFECT = Defect(
    id="rescind-uaf-primary",
    subject="Drivers: hv: vmbus: Avoid use-after-free in vmbus_onoffer_rescind()",
    commit="e3fa4b747f08",
    commit_check="verified",
    cls="E",
    fixed="2020-12 / v5.12",
    scenario="rescind-without-eject",
    expect="use-after-free",
    why=(
        "Unregistering the device frees the channel, and the next line reads it. The model "
        "asks the offer whether the channel is a sub-channel, where Linux reads the pointer "
        "to its primary."
    ),
    mixins=(Mixin("vmbus", ReadsPrimary),),
)
