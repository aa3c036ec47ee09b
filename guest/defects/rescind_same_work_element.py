# SPDX-License-Identifier: MIT
"""A rescind waited behind the offer that it takes back: both were handled by one work queue.

Until 54a66265d675 the offer's processing, the driver's probe included, ran on the queue that
rescinds were put on.

Model: rescinds are put on the queue that probes now.
"""

from __future__ import annotations

from typing import Any

from guest.defects.record import Defect, Mixin
from guest.kernel.kernel import Kernel
from guest.vmbus.connection import VmbusConnection


class RescindsBehindOffers(VmbusConnection):
    """One queue for probing and for rescinds."""

    def __init__(self, kernel: Kernel, **options: Any) -> None:
        super().__init__(kernel, **options)
        self.rescind_work_queue = self.handle_primary_chan_wq


DEFECT = Defect(
    id="rescind-same-work-element",
    subject="Drivers: hv: vmbus: Fix rescind handling",
    commit="54a66265d675",
    commit_check="verified",
    cls="E",
    fixed="2017-04 / v4.13",
    scenario="rescind-during-probe",
    expect="hang",
    why=(
        "The probe waits for a host that no longer answers, and the rescind that would tell "
        "it so is the next item on the same queue."
    ),
    mixins=(Mixin("vmbus", RescindsBehindOffers),),
)
