# SPDX-License-Identifier: MIT
"""The PCI device goes before the answer to the eject, and does not come again by itself."""

from __future__ import annotations

from guest.events import ChildAdded, DomainChosen
from guest.pci_core.events import PciDevAdded, PciDevRemoved
from host.events import ChannelOffered
from protocol.vpci import MessageType
from sim.oracles.laws.no_zombies import NoZombies
from tests.sim.oracles.laws.tale import BUS, RELID, SLOT, broken, holds, message, told

ADDRESS = "454f:00:00.0"
SIBLING = PciDevAdded("454f:00:01.0", 0, 0)
CHILD = ChildAdded(RELID, SLOT, 0, 0, 7)
ADDED = PciDevAdded(ADDRESS, 0, 0)
REMOVED = PciDevRemoved(ADDRESS)
ANSWER = message(MessageType.PCI_EJECTION_COMPLETE)
BORN = (ChannelOffered(BUS, RELID), DomainChosen(RELID, 0x454F, 0x454F), CHILD)


def test_the_device_is_removed_before_the_answer() -> None:
    assert holds(NoZombies, *BORN, ADDED, SIBLING, REMOVED, ANSWER)


def test_a_function_without_a_device_may_be_given_up() -> None:
    assert holds(NoZombies, *BORN, SIBLING, ANSWER)


def test_a_device_that_is_still_there_is_a_zombie() -> None:
    violation = broken(NoZombies, *BORN, ADDED, ANSWER)
    assert violation.kind == "dead-device-access"
    assert "slot 0x0 of channel 1" in violation.message


def test_a_device_that_appears_after_the_answer_is_a_zombie() -> None:
    assert broken(NoZombies, *BORN, ANSWER, ADDED)


def test_the_next_function_in_the_slot_has_a_device_of_its_own() -> None:
    assert holds(NoZombies, *BORN, ADDED, REMOVED, ANSWER, CHILD, ADDED, REMOVED, ANSWER)
    assert holds(NoZombies, *BORN, ADDED, REMOVED, ANSWER, *BORN, ADDED)


def test_a_device_that_a_scan_brought_back_is_open_item_5() -> None:
    tale = (*BORN, ADDED, REMOVED, ADDED, ANSWER)
    assert told(NoZombies, *tale, may_show=("O5",)) == (None, ("O5",))
    assert "open item O5" in broken(NoZombies, *tale).message
    assert "open item O5" in broken(NoZombies, *BORN, ADDED, REMOVED, ANSWER, ADDED).message


def test_the_next_channel_of_that_number_has_no_device_yet() -> None:
    assert holds(NoZombies, *BORN, ADDED, *BORN, ANSWER)
