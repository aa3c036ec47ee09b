# SPDX-License-Identifier: MIT
"""Cases that bind Linux alone fail for a guest that does otherwise.

``wrong_guests`` has guests for the cases that bind all, and no other such case catches one of them;
what else catches a guest of this file is not asked.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import pytest

from guest.defects.record import Mixin
from guest.kernel.irq import IrqData
from guest.kernel.irq_chip import MsiMsg
from guest.pci_hyperv.bus import HvPciBus
from guest.pci_hyperv.channel import Incoming
from guest.pci_hyperv.device import HvPciDev
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.interrupt_requests import InterruptRequest
from protocol.ids import RelId
from protocol.pci_regs import PCI_STATUS
from protocol.ring import Packet
from protocol.vpci import PciBusRelations2
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import play_case
from sim.guests import ReferenceGuests

LOCAL_APIC = 0xFEE0_0000
BY_ID = {case.id: case for case in GUEST_CASES}


class LooksBeforeAssigning(HvPciDriver):
    async def assign_resources(self, hbus: HvPciBus) -> int:
        self._window_read(hbus, 0, PCI_STATUS, 2)
        return await super().assign_resources(hbus)


class NamesNextVector(HvPciDriver):
    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        request = await super().interrupt_request(hpdev, data)
        return request._replace(vector=request.vector + 1)


class NamesHeldVector(HvPciDriver):
    async def interrupt_request(self, hpdev: HvPciDev, data: IrqData) -> InterruptRequest:
        request = await super().interrupt_request(hpdev, data)
        return request._replace(vector=data.vector)


class CreatesForEach(HvPciDriver):
    """Of a block, too: the whole block for each of its vectors."""

    def may_reuse(self, _msi_desc: object) -> bool:
        return False


class WritesMessage(HvPciDriver):
    def null_message(self, relid: RelId, data: IrqData, reason: str) -> MsiMsg:
        return super().null_message(relid, data, reason)._replace(address_lo=LOCAL_APIC)


class TakesShortForEmpty(HvPciDriver):
    def incoming(
        self, hbus: HvPciBus, record: type[Incoming], packet: Packet, what: str
    ) -> Incoming | None:
        message = super().incoming(hbus, record, packet, what)
        if message is None and record is PciBusRelations2:
            return record()
        return message


class TakesNothingAfterShort(HvPciDriver):
    short = False

    def too_small(self, hbus: HvPciBus, what: str) -> None:
        super().too_small(hbus, what)
        self.short = True

    async def take_message(self, hbus: HvPciBus, packet: Packet) -> None:
        if not self.short:
            await super().take_message(hbus, packet)


class Unlike(NamedTuple):
    """A case, a driver that does otherwise, and what the case says of it."""

    case: str
    driver: type[HvPciDriver]
    why: str


UNLIKE = (
    Unlike("configuration-space-after-resources", LooksBeforeAssigning, "before all was assigned"),
    Unlike("create-names-the-vector-aimed", NamesNextVector, "was created, .* aimed"),
    Unlike("single-msi-names-the-vector-aimed", NamesNextVector, "was created, .* aimed"),
    Unlike("multi-msi-names-vector-32", NamesHeldVector, "names vector"),
    Unlike("multi-msi-names-vector-32", CreatesForEach, "more than once"),
    Unlike("refused-interrupt-leaves-zeros", WritesMessage, "though there is no interrupt"),
    Unlike("refused-single-msi-leaves-zeros", WritesMessage, "though there is no interrupt"),
    Unlike("short-first-list-answers-nothing", TakesShortForEmpty, "no list was whole"),
    Unlike("short-first-list-answers-nothing", TakesNothingAfterShort, "did not come up"),
)


@pytest.mark.parametrize("unlike", UNLIKE, ids=lambda unlike: unlike.driver.__name__)
@pytest.mark.parametrize("version", ["1.1", "1.4"])
def test_a_guest_that_does_otherwise_fails_the_case(unlike: Unlike, version: str) -> None:
    guests = ReferenceGuests(mixins=[Mixin("driver", unlike.driver)])
    _, wrong = play_case(BY_ID[unlike.case], version, guests=guests)
    assert re.search(unlike.why, str(wrong))
