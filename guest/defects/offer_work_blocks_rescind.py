# SPDX-License-Identifier: MIT
"""An offer was processed to the end of its driver's probe before anything else.

Until 37c2578c0c40 vmbus_process_offer() added the device itself, on the queue that handles offers.
Mostly known for sub-channels, whose offers a probe waits for; but a rescind also waits until no
offer is in progress.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.work import Work
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class ProbedInline(Offers):
    """vmbus_process_offer() that runs the work itself, and only then is done with the offer."""

    async def vmbus_process_offer(self, channel: VmbusChannel) -> None:
        self.offer_in_progress += 1
        await super().vmbus_process_offer(channel)
        self.offer_in_progress -= 1

    async def queue_add_channel(self, work: Work) -> None:
        await self.vmbus_add_channel_work(work)


DEFECT = Defect(
    id="offer-work-blocks-rescind",
    subject="Drivers: hv: vmbus: Offload the handling of channels to two workqueues",
    commit="37c2578c0c40",
    commit_check="unconfirmed",
    cls="E",
    fixed="2018-11 / v4.20-5.0",
    scenario="rescind-during-probe",
    expect="hang",
    why=(
        "The probe waits for a host that no longer answers, and the rescind that would tell "
        "it so waits for the offer."
    ),
    mixins=(Mixin("vmbus", ProbedInline),),
)
