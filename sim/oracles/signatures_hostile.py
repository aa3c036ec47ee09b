# SPDX-License-Identifier: MIT
"""How the open items show that take a host which does not mean well.

Which item is about what is in ``guest/defects/open_items.py``.
"""

from __future__ import annotations

from typing import ClassVar, Final

from protocol.hypercall import HV_STATUS_SUCCESS, HVCALL_MMIO_READ
from protocol.link import HypercallMade, PacketPublished
from protocol.vpci import PciQResReqResponse
from sim.oracles.known import Signature
from sim.oracles.law import Sees

WIDE: Final = 0x4  # PCI_BASE_ADDRESS_MEM_TYPE_64


class FailedRead(Signature):
    """A hypercall that was to read configuration space has failed, and what it left is used."""

    kinds = frozenset({"uninitialised"})

    def _called(self, event: HypercallMade, *_: object) -> None:
        self.possible |= event.code == HVCALL_MMIO_READ and event.result != HV_STATUS_SUCCESS

    sees: ClassVar[Sees] = {HypercallMade: _called}


class VendorIdNotRead(FailedRead):
    """Composing asks whether the device is still there."""

    item = "O12"
    what = ("hv_pcifront_get_vendor_id",)


class CommandNotRead(FailedRead):
    """Probe, or resume, switches memory decoding off."""

    item = "O24"
    what = ("prepopulate_bars",)


class WideLastBar(Signature):
    """A host has said of BAR 5 that it takes the word behind it, too."""

    item = "O13"
    kinds = frozenset({"out-of-bounds"})
    what = ("probed_bar",)

    def _answered(self, event: PacketPublished, *_: object) -> None:
        if event.direction == "host-to-guest" and len(event.payload) == PciQResReqResponse.SIZE:
            last = PciQResReqResponse.parse(event.payload).probed_bar[-1]
            self.shown |= bool(last & WIDE)

    sees: ClassVar[Sees] = {PacketPublished: _answered}
