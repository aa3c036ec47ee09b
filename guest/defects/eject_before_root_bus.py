# SPDX-License-Identifier: MIT
"""An eject between the first list and the root bus was answered, and the bus scanned all the same.

The work found no pci_dev, unlinked the function and sent EJECTION_COMPLETE; probe then created the
root bus over a function that the host had taken away. 067d6ec7ed5b added ``state_lock``, which
probe holds from D0 entry until the bus is installed and both works take.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.sync import Mutex
from guest.native.edits.record import EVERY, Drop
from guest.pci_hyperv.bus import DriverBase


class NullLock(Mutex):
    """A mutex that is not there."""

    __slots__ = ()

    async def lock(self) -> None:
        """Nothing to wait for."""

    async def unlock(self) -> None:
        """Nothing to let go."""


class NoStateLock(DriverBase):
    """``struct hv_pcibus_device`` before it had its ``state_lock``."""

    def new_state_lock(self) -> Mutex:
        return NullLock(self.kernel, "state_lock")


DEFECT = Defect(
    id="eject-before-root-bus",
    subject="PCI: hv: Add a per-bus mutex state_lock",
    commit="067d6ec7ed5b",
    commit_check="verified",
    cls="A",
    fixed="2023-06 / v6.4",
    scenario="eject-during-probe",
    expect="dead-device-access",
    why="The eject work overtakes probe, which then scans and binds a function that is gone.",
    mixins=(Mixin("driver", NoStateLock),),
    edits=tuple(
        Drop(function, (call, "state_lock"), EVERY)
        for function in ("hv_pci_probe", "hv_eject_device_work", "pci_devices_present_work")
        for call in ("mutex_lock", "mutex_unlock")
    ),
)
