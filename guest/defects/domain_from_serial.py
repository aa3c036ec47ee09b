# SPDX-License-Identifier: MIT
"""The first function's serial number replaced the PCI domain of its bus.

Serial numbers are not unique on a host. Until 29927dfb7f69 the number was written over the one that
the bus had been given, as soon as a first function was known.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.device import Device, HvPciDev, HvPciDevDescription


class SerialIsDomain(Device):
    """new_pcichild_device() that renumbers a bus that has no functions yet."""

    async def new_pcichild_device(
        self, hbus: HvPciBus, desc: HvPciDevDescription
    ) -> HvPciDev | None:
        if hbus.children.empty():
            hbus.bridge.domain_nr = desc.ser
        return await super().new_pcichild_device(hbus, desc)


DEFECT = Defect(
    id="domain-from-serial",
    subject="PCI: hv: Make sure the bus domain is really unique",
    commit="29927dfb7f69",
    commit_check="unconfirmed",
    cls="F",
    fixed="2018 / v4.19",
    scenario="arrival",
    expect="wrong-value",
    why=(
        "The bus has another domain than the one it took, so its devices appear where no bus "
        "should be; two such buses may meet there."
    ),
    mixins=(Mixin("driver", SerialIsDomain),),
)
