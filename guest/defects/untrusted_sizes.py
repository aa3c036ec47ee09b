# SPDX-License-Identifier: MIT
"""Messages were read for as long as they said they were, not for as long as the packet is.

9937fa6d1eb6 compares each kind with what was received.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.faults import OutOfBounds
from guest.native.edits.record import Force
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.channel import Channel


class NeverMeasures(Channel):
    """Goes on behind the end of the packet."""

    def too_small(self, _hbus: HvPciBus, what: str) -> None:
        raise OutOfBounds(f"{what} read beyond the packet it came in")


DEFECT = Defect(
    id="untrusted-sizes",
    subject="PCI: hv: Add validation for untrusted Hyper-V values",
    commit="9937fa6d1eb6",
    commit_check="verified",
    cls="D",
    fixed="2022-05 / v5.19",
    scenario="hostile-messages",
    expect="out-of-bounds",
    why="A hostile host sends a list that claims more functions than the packet holds.",
    mixins=(Mixin("driver", NeverMeasures),),
    edits=tuple(
        Force("hv_pci_onchannelcallback", ("bytes_recvd", measured))
        for measured in ("pci_response", "bus_rel", "bus_rel2", "dev_message", "inval")
    ),
)
