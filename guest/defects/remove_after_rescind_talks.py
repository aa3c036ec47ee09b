# SPDX-License-Identifier: MIT
"""After a rescind the driver went on talking to a host that no longer listened.

hv_pci_remove() sent PCI_BUS_D0EXIT and waited 10 s for an answer that could not come. 17978524a636
(the id is a guess) returns early from hv_pci_bus_exit() once the channel is rescinded.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.d0 import D0
from guest.vmbus.channel import HvDevice, VmbusChannel
from guest.vmbus.connection import VmbusConnection


class NeverGone(D0):
    """hv_pci_bus_exit() that does not look at the rescind flag."""

    def channel_is_gone(self, hdev: HvDevice) -> bool:
        return False


class WritesAnyway(VmbusConnection):
    """hv_ringbuffer_write() that does not look at it either, as in 2016."""

    def nobody_reads(self, channel: VmbusChannel) -> bool:
        return False


DEFECT = Defect(
    id="remove-after-rescind-talks",
    subject="PCI: hv: Fix hv_pci_remove() for hot-remove",
    commit="17978524a636",
    commit_check="unconfirmed",
    cls="A",
    fixed="2016-11 / v4.10",
    scenario="rescind-without-eject",
    expect="protocol",
    why=(
        "A packet is published after the rescind. The rings of 6.12 refuse it themselves, so that"
        " their test is left out as well. Commit unconfirmed."
    ),
    mixins=(Mixin("driver", NeverGone), Mixin("vmbus", WritesAnyway)),
    why_model_only=(
        "In the real driver's kernel drivers/hv/ring_buffer.c refuses the packet, whatever the"
        " driver has tested."
    ),
)
