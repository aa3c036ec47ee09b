# SPDX-License-Identifier: MIT
"""Resuming waited for ever for a device that was not offered again.

Since 19873eec7e13 vmbus_bus_resume() waits for ten seconds.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.vmbus.power import BusPower


class WaitsForAll(BusPower):
    """vmbus_bus_resume() that has all the time in the world."""

    async def wait_for_offers(self) -> bool:
        await self.ready_for_resume_event.wait()
        return True


DEFECT = Defect(
    id="resume-waits-for-all-devices",
    subject="Drivers: hv: vmbus: hibernation: do not hang forever in vmbus_bus_resume()",
    commit="19873eec7e13",
    commit_check="verified",
    cls="E",
    fixed="2020-09 / v5.9",
    scenario="hibernate-device-missing",
    expect="hang",
    why="One of two devices is taken away while the machine is off.",
    mixins=(Mixin("vmbus", WaitsForAll),),
)
