# SPDX-License-Identifier: MIT
"""Two buses got one PCI domain: nobody looked whether the number was taken.

Since be700103efd1 the driver keeps a map of the domains in use, and takes another number where the
one that the instance id asks for is in use.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.events import DomainChosen
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.domains import requested_domain
from guest.pci_hyperv.parts import Parts


class NoMap(Parts):
    """The domain is the one that the instance id asks for."""

    async def choose_domain(self, hbus: HvPciBus) -> int:
        requested = requested_domain(hbus.hdev.dev_instance)
        hbus.bridge.domain_nr = requested
        hbus.use_calls = self.use_calls
        self.kernel.emit(DomainChosen(hbus.relid, requested, requested))
        return 0

    async def free_dom(self, hbus: HvPciBus) -> None:
        pass


DEFECT = Defect(
    id="domain-collision",
    subject="PCI: hv: Detect and fix Hyper-V PCI domain number collision",
    commit="be700103efd1",
    commit_check="verified",
    cls="F",
    fixed="2019-08 / v5.4",
    scenario="domain-collision",
    expect="wrong-value",
    why=(
        "Two instance ids agree in the two bytes that make the domain, and the second bus "
        "cannot be registered."
    ),
    mixins=(Mixin("driver", NoMap),),
)
