# SPDX-License-Identifier: MIT
"""An offer for which there was no memory kept its relid: the host was not given it back.

Since 5e030d5ce9d9 the failure path posts RELID_RELEASED.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.offers import Offers
from protocol.vmbus import VmbusChannelOfferChannel


class RelidKept(Offers):
    """vmbus_onoffer() that only logs that it has no memory."""

    async def refuse_offer(self, offer: VmbusChannelOfferChannel) -> None:
        pass


DEFECT = Defect(
    id="relid-leak",
    subject="Drivers: hv: vmbus: Don't leak channel ids",
    commit="5e030d5ce9d9",
    commit_check="unconfirmed",
    cls="E",
    fixed="2017-04 / v4.12",
    scenario="offer-without-memory",
    expect="leak",
    why=(
        "The host waits for a relid that the guest has forgotten, and can never offer the "
        "device again."
    ),
    faults={"allocation-failure": 1},
    mixins=(Mixin("vmbus", RelidKept),),
)
