# SPDX-License-Identifier: MIT
"""Two rescinds of one channel both got hold of it.

A host may send a rescind twice, to two processors at once. Since e4d221b42354 the first claims the
channel under channel_mutex.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class NotClaimed(Offers):
    """vmbus_onoffer_rescind() that does not look whether another has the channel."""

    def claim_rescind(self, channel: VmbusChannel) -> bool:
        channel.rescind_ref = True
        return True


DEFECT = Defect(
    id="double-rescind",
    subject="Drivers: hv: vmbus: Resolve race condition in vmbus_onoffer_rescind()",
    commit="e4d221b42354",
    commit_check="verified",
    cls="E",
    fixed="2020-12 / v5.12",
    scenario="rescind-twice",
    expect="use-after-free",
    why=(
        "Both wait for the probe, the first frees the channel, and the second goes on with "
        "it. Needs a host that repeats its rescind on another processor."
    ),
    knobs={"repeat_rescind": True},
    mixins=(Mixin("vmbus", NotClaimed),),
)
