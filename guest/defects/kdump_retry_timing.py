# SPDX-License-Identifier: MIT
"""The second try at D0 was feared to begin before the host had sent its list again.

d6af2ed29c7c began again with the query for the list. a847234e24d0 took that back: what goes before
the second try keeps the functions, so that the list of the first is as good.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.probe import Probe
from guest.vmbus.channel import HvDevice


class FromTheQuery(Probe):
    """hv_pci_enter_d0() that asks for the list before it tries again, as from v5.9 to v6.3.

    The work that takes the list needs ``state_lock``, which is younger than that.
    """

    async def release_before_retry(self, hdev: HvDevice, hbus: HvPciBus) -> int:
        ret = await super().release_before_retry(hdev, hbus)
        if ret:
            return ret
        await self.release_state_lock(hbus)
        ret = await self.query_relations(hbus)
        await self.take_state_lock(hbus)
        return ret


DEFECT = Defect(
    id="kdump-retry-timing",
    subject="PCI: hv: Fix a timing issue which causes kdump to fail occasionally",
    commit="d6af2ed29c7c",
    commit_check="verified",
    cls="C",
    fixed="2020-08 / v5.9 ; reverted a847234e24d0 2023-06 / v6.4",
    scenario="kdump",
    expect=None,
    why=(
        "Both ways are right as long as the functions are kept over the exit from D0: the fix was"
        " reverted as unnecessary, and 6.12 is as before it. Here the guest is given the fix back."
    ),
    mixins=(Mixin("driver", FromTheQuery),),
)
