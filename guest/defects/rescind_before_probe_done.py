# SPDX-License-Identifier: MIT
"""A rescind unregistered a device whose registration was still running.

6f3d791f3006 lets the rescind wait for ``probe_done`` before it touches the device. (The same commit
tests for a rescind before it posts a request, and lets interrupts pass rescinded channels by.)
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.channel import VmbusChannel
from guest.vmbus.offers import Offers


class NoWaitForProbe(Offers):
    """vmbus_onoffer_rescind() that does not wait for ``probe_done``."""

    async def wait_for_probe(self, channel: VmbusChannel) -> None:
        pass


DEFECT = Defect(
    id="rescind-before-probe-done",
    subject="Drivers: hv: vmbus: Fix rescind handling issues",
    commit="6f3d791f3006",
    commit_check="unconfirmed",
    cls="E",
    fixed="2017-08 / v4.14",
    scenario="rescind-at-once",
    expect="use-after-free",
    why=(
        "The device is freed between its creation and its binding to a driver, or its channel "
        "before the offer's work notes that it is done."
    ),
    mixins=(Mixin("vmbus", NoWaitForProbe),),
)
