# SPDX-License-Identifier: MIT
"""A device was put on the NUMA node that the host named, whether the guest had it or not.

Since 3149efcdf2c6 a node that is out of range or offline is not taken.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.device import HvPciDevDescription
from guest.pci_hyperv.root_bus import RootBus


class AnyNode(RootBus):
    """The host's word is taken as it is."""

    def numa_node_of(self, desc: HvPciDevDescription) -> int:
        return desc.virtual_numa_node


DEFECT = Defect(
    id="numa-invalid-node",
    subject="PCI: hv: Fix NUMA node assignment when kernel boots with custom NUMA topology",
    commit="3149efcdf2c6",
    commit_check="verified",
    cls="F",
    fixed="2022-01 / v5.17",
    scenario="numa-unknown-node",
    expect="null-dereference",
    why="The function driver asks for memory on a node that does not exist.",
    protocol=("1.4", "1.3"),
    mixins=(Mixin("driver", AnyNode),),
)
