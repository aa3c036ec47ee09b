# SPDX-License-Identifier: MIT
"""Whoever waited for the host's answer waited for ever once the device was gone.

A host answers nothing on a channel that it has taken back, and the rescind waits for probe. Since
c3635da2a336 wait_for_response() looks at the rescind flag ten times a second.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.sync import Completion
from guest.native.edits.record import Force
from guest.pci_hyperv.requests import Requests
from guest.vmbus.channel import HvDevice


class WaitsForTheHost(Requests):
    """wait_for_response() that is a wait_for_completion()."""

    async def wait_for_response(self, _hdev: HvDevice, comp: Completion) -> int:
        await comp.wait()
        return 0


DEFECT = Defect(
    id="device-gone-infinite-wait",
    subject="PCI: hv: Do not wait forever on a device that has disappeared",
    commit="c3635da2a336",
    commit_check="verified",
    cls="C",
    fixed="2018-05 / v4.18",
    scenario="rescind-during-probe",
    expect="hang",
    why="The probe waits for an answer that cannot come, and the rescind waits for the probe.",
    mixins=(Mixin("driver", WaitsForTheHost),),
    edits=(Force("wait_for_response", ("rescind",)),),
)
