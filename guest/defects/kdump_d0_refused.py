# SPDX-License-Identifier: MIT
"""A crash kernel got no device: the host refused D0, and the guest left it at that.

The kernel that crashed has left the bus in D0 with its resources assigned. c81992e7f4aa takes a
refusal for that: it releases everything from slot 255 down, leaves D0 and enters it once more.
"""

from __future__ import annotations

from errno import EPROTO

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.d0 import D0
from guest.vmbus.channel import HvDevice


class OneTry(D0):
    """hv_pci_enter_d0() that takes the first refusal for the last."""

    async def release_before_retry(self, _hdev: HvDevice, _hbus: HvPciBus) -> int:
        return -EPROTO


DEFECT = Defect(
    id="kdump-d0-refused",
    subject="PCI: hv: Retry PCI bus D0 entry on invalid device state",
    commit="c81992e7f4aa",
    commit_check="verified",
    cls="C",
    fixed="2020-05 / v5.8",
    scenario="kdump",
    expect="lost-device",
    why="The crash kernel's probe ends in EPROTO: it has no disk to write its dump to.",
    mixins=(Mixin("driver", OneTry),),
)
