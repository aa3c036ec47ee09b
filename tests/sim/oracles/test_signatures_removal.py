# SPDX-License-Identifier: MIT
"""How a slot is recognised that an eject destroys while a scan uses it."""

from __future__ import annotations

from guest.events import ChildSlotDestroyed
from protocol.ids import SlotNumber
from sim.violation import Violation
from tests.sim.oracles.test_known import ONE, seen

READ = Violation(
    "use-after-free",
    "",
    "read of 8 bytes of an object of pci_create_slot, freed by pci_slot_release",
    "thread/0:rescan",
    0,
)


def test_a_scan_may_use_the_slot_that_an_eject_has_destroyed() -> None:
    assert seen((ChildSlotDestroyed(ONE, SlotNumber(0)),), "O5").explaining(READ) == {"O5"}


def test_before_that_it_is_nobodys_item() -> None:
    assert not seen((), "O5").explaining(READ)
