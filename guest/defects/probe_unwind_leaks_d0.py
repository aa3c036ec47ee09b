# SPDX-License-Identifier: MIT
"""A probe that failed after D0 entry left the bus in D0, with its resources assigned.

The host kept them, and refused D0 to the next probe. 83cc3508ffaa (the id is a guess) calls
hv_pci_bus_exit() on the way out.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.native.edits.record import Drop
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.probe import Probe


class StaysInD0(Probe):
    """hv_pci_probe() whose unwinding forgets the power."""

    async def exit_d0(self, _hbus: HvPciBus) -> int:
        return 0


DEFECT = Defect(
    id="probe-unwind-leaks-d0",
    subject="PCI: hv: Fix the PCI HyperV probe failure path to release resource properly",
    commit="83cc3508ffaa",
    commit_check="unconfirmed",
    cls="C",
    fixed="2020-05 / v5.8",
    scenario="resources-refused",
    expect="leak",
    why="The host still holds the bus in D0 for a driver that has gone. Commit unconfirmed.",
    mixins=(Mixin("driver", StaysInD0),),
    edits=(Drop("hv_pci_probe", ("hv_pci_bus_exit",)),),
)
