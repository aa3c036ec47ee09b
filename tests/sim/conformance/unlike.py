# SPDX-License-Identifier: MIT
"""A guest that does one thing otherwise than Linux, and what a case that binds Linux says of it."""

from __future__ import annotations

from typing import NamedTuple

from guest.defects.record import Mixin
from guest.pci_hyperv.driver import HvPciDriver
from guest.vmbus.connection import VmbusConnection
from guest.vmbus.interrupts import VmbusInterrupts
from sim.conformance.case import Nonconforming
from sim.conformance.catalogue import GUEST_CASES
from sim.conformance.guest_play import judged, play
from sim.guests import ReferenceGuests

BY_ID = {case.id: case for case in GUEST_CASES}
Part = type[HvPciDriver | VmbusConnection | VmbusInterrupts]


def _part_of(cls: Part) -> str:
    """Which of ``guest.parts.Parts`` it goes in front of."""
    if issubclass(cls, HvPciDriver):
        return "driver"
    return "vmbus" if issubclass(cls, VmbusConnection) else "vmbus_interrupts"


class Unlike(NamedTuple):
    """A case, a guest's part that does otherwise, and what the case says of it."""

    case: str
    part: Part
    why: str

    @property
    def mixin(self) -> Mixin:
        """It, in front of the guest's part that it is."""
        return Mixin(_part_of(self.part), self.part)


def wrong_of(unlike: Unlike, version: str) -> Nonconforming | None:
    """What the case says. Raises NotOffered where the guest was not put to it."""
    guests = ReferenceGuests(mixins=[unlike.mixin])
    case = BY_ID[unlike.case]
    return judged(case, play(case, version, guests=guests))


def name(unlike: Unlike) -> str:
    """What a test calls it."""
    return f"{unlike.case}-{unlike.part.__name__}"
