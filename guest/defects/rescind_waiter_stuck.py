# SPDX-License-Identifier: MIT
"""Who waited for the host's answer to an OPEN or a GPADL was not woken by a rescind.

A host answers nothing on a channel that it has taken back. Since ccb61f8a99e6 the rescind completes
the request that waits, and whoever wakes looks at the flag.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class NobodyWoken(Offers):
    """vmbus_rescind_cleanup() that only raises the flag."""

    async def wake_waiter(self, channel: VmbusChannel) -> None:
        pass


DEFECT = Defect(
    id="rescind-waiter-stuck",
    subject="Drivers: hv: vmbus: Fix a rescind handling bug",
    commit="ccb61f8a99e6",
    commit_check="unconfirmed",
    cls="E",
    fixed="2016-12 / v4.11",
    scenario="rescind-during-open",
    expect="hang",
    why=(
        "The probe waits for the answer to its OPEN, which never comes, and the rescind waits "
        "for the probe."
    ),
    mixins=(Mixin("vmbus", NobodyWoken),),
)
