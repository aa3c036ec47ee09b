# SPDX-License-Identifier: MIT
"""A request to open was freed while it was on the list of those that wait.

Until 3e9bf43f7f7a (CVE-2021-47049) vmbus_open() forgot to unlink it where it found the channel
rescinded before it asked.
"""

from __future__ import annotations

from errno import ENODEV

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.open import Opening
from guest.vmbus.post import ChannelMessageInfo


class LeftOnTheList(Opening):
    """__vmbus_open() that frees its request and leaves it on chn_msg_list."""

    async def abandon_open(self, channel: VmbusChannel, info: ChannelMessageInfo) -> int:
        await channel.vmbus.kernel.kfree(info)
        return -ENODEV


DEFECT = Defect(
    id="open-info-list-uaf",
    subject="Drivers: hv: vmbus: Use after free in __vmbus_open()",
    commit="3e9bf43f7f7a",
    commit_check="unconfirmed",
    cls="E",
    fixed="2021-05 / v5.13",
    scenario="rescind-during-open",
    expect="use-after-free",
    why=(
        "The next request that is put on the list, of the same error path, writes to the "
        "freed one's node."
    ),
    mixins=(Mixin("vmbus", LeftOnTheList),),
)
