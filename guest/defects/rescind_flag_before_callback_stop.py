# SPDX-License-Identifier: MIT
"""The rescind flag was raised while the channel's callback could still run.

Whoever waits in wait_for_response() returns when it sees the flag, and its stack frame dies with
the packet that an answer completes. Since d3b26dd7cb0e vmbus_onoffer_rescind() resets the callback
first; before, only the close did.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class FlagFirst(Offers):
    """vmbus_onoffer_rescind() that leaves the callback to vmbus_close()."""

    async def stop_callback(self, channel: VmbusChannel) -> None:
        pass


DEFECT = Defect(
    id="rescind-flag-before-callback-stop",
    subject="Drivers: hv: vmbus: Reset the channel callback in vmbus_onoffer_rescind()",
    commit="d3b26dd7cb0e",
    commit_check="unconfirmed",
    cls="E",
    fixed="2018-06 / v4.18-4.19",
    scenario="rescind-slow-answer",
    expect="dead-stack",
    why=(
        "The callback takes an answer from the ring, the waiter sees the flag and returns, "
        "and the callback completes a packet on a stack frame that is gone."
    ),
    mixins=(Mixin("vmbus", FlagFirst),),
)
