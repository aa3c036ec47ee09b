# SPDX-License-Identifier: MIT
"""A probe that failed gave its PCI domain back twice.

Since bcce8c74f1ce the PCI core owns a bridge's domain number and frees it with the bridge, which
goes when probe has failed; the driver's unwinding freed it before that. Another bus may have had
the number by then. b6422dff0e51 leaves it to the core.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel.faults import DoubleFree
from guest.pci_core.types import PciHostBridge
from guest.pci_hyperv.probe import Probe


class CoreFreesToo(Probe):
    """pci_release_host_bridge_dev() that frees the domain: ida_free() warns of what is free."""

    async def release_bridge(self, bridge: PciHostBridge) -> None:
        if not self.domains.holds(bridge.domain_nr):
            raise DoubleFree(f"ida_free() of domain {bridge.domain_nr:#x}, which is not allocated")
        self.domains.hv_put_dom_num(bridge.domain_nr)


DEFECT = Defect(
    id="probe-double-domain-free",
    subject="PCI: hv: Fix double ida_free in hv_pci_probe error path",
    commit="b6422dff0e51",
    commit_check="verified",
    cls="C",
    fixed="2026-04",
    scenario="version-refused",
    expect="double-free",
    why="The number is freed with the bridge after the driver has freed it.",
    mixins=(Mixin("driver", CoreFreesToo),),
)
