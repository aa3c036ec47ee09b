# SPDX-License-Identifier: MIT
"""Devices were added and removed at the same time.

The driver did not take pci_lock_rescan_remove(), the PCI core's lock against just that: an eject
could stop and remove a device that probe was adding. 414428c5da1c takes it in the eject work and
around scanning.
"""

from __future__ import annotations

from guest.defects.eject_before_root_bus import NoStateLock
from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import DriverBase


class NoRescanLock(DriverBase):
    """pci_lock_rescan_remove() that nobody calls."""

    async def pci_lock_rescan_remove(self) -> None:
        pass

    async def pci_unlock_rescan_remove(self) -> None:
        pass


DEFECT = Defect(
    id="eject-without-rescan-lock",
    subject="PCI: hv: Lock PCI bus on device eject",
    commit="414428c5da1c",
    commit_check="verified",
    cls="A",
    fixed="2016-09 / v4.9",
    scenario="eject-during-probe",
    expect="use-after-free",
    why=(
        "Probe goes on with a device that the eject work has removed and freed. The state_lock of"
        " 2023 would keep the two apart, so it is left out here as it was then."
    ),
    mixins=(Mixin("driver", NoRescanLock), Mixin("driver", NoStateLock)),
    why_model_only=(
        "In the real driver with neither lock, what shows is eject-before-root-bus: a function that"
        " was given up is scanned."
    ),
)
