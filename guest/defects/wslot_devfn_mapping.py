# SPDX-License-Identifier: MIT
"""A slot number of the wire was taken for Linux's devfn, so an eject found no PCI device.

The two keep device and function number in different bits. Until 60e2e2fbafdd one of the two
conversions was wrong; they agree in slot 0 alone.
"""

from __future__ import annotations

from functools import cache

from guest.defects.record import Defect, Mixin
from guest.pci_core.types import PciBus
from guest.pci_hyperv.config import Config
from protocol.ids import Devfn


def _as_it_is(wslot: int) -> Devfn:
    return Devfn(wslot)


class SlotIsDevfn(Config):
    """wslot_to_devfn() that takes the number as it is.

    The scan then asks every slot: the clean model passes those by that it knows to be empty, and
    converts to do so, where Linux only ever converts the other way.
    """

    wslot_to_devfn = staticmethod(cache(_as_it_is))

    def hv_pcifront_next_slot(self, _bus: PciBus, devfn: int) -> int:
        return devfn


DEFECT = Defect(
    id="wslot-devfn-mapping",
    subject="PCI: hv: Fix wslot_to_devfn() to fix warnings on device removal",
    commit="60e2e2fbafdd",
    commit_check="unconfirmed",
    cls="F",
    fixed="2017-02 / v4.11",
    scenario="eject-two-devices",
    expect="dead-device-access",
    why=(
        "The eject of a function in another slot than 0 removes no PCI device, and its driver "
        "goes on with a function that the host has been told is free."
    ),
    mixins=(Mixin("driver", SlotIsDevfn),),
)
