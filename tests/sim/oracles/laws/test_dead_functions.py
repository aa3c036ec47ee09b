# SPDX-License-Identifier: MIT
"""A function that was given up is not touched; its successor in the slot, and its siblings, are."""

from __future__ import annotations

import pytest

from guest.events import ChildAdded, DomainChosen
from guest.pci_core.events import BarAssigned, PciDevAdded, PciDevRemoved
from host.events import ChannelOffered
from protocol.ids import Gpa, SlotNumber
from protocol.link import BarRead, BarWritten, ConfigRead, ConfigWritten, UnclaimedAccess
from protocol.vpci import MessageType
from sim.oracles.laws.dead_functions import DeadFunctions
from tests.sim.oracles.laws.tale import (
    BUS,
    OTHER_SLOT,
    RELID,
    SLOT,
    At,
    broken,
    holds,
    message,
    told,
)

ADDRESS = "454f:00:00.0"
BAR_AT = 0x1_0000_0000
CHILD = ChildAdded(RELID, SLOT, 0x144D, 0xA80A, 7)
ALIVE = (
    ChannelOffered(BUS, RELID),
    DomainChosen(RELID, 0x454F, 0x454F),
    CHILD,
    PciDevAdded(ADDRESS, 0x144D, 0xA80A),
    BarAssigned(ADDRESS, 0, BAR_AT, 0x4000),
)
BACK = PciDevAdded(ADDRESS, 0x144D, 0xA80A)
EJECT = message(MessageType.PCI_EJECT, direction="host-to-guest")
GIVEN_UP = message(MessageType.PCI_EJECTION_COMPLETE)
READ = ConfigRead(BUS, SLOT, 0, 2, 0xFFFF)
TOUCHES = (
    READ,
    ConfigWritten(BUS, SLOT, 4, 2, 0),
    BarRead(BUS, SLOT, 0, 0, 4, 0),
    BarWritten(BUS, SLOT, 0, 0, 4, 0),
    UnclaimedAccess(Gpa(BAR_AT + 0x3FFF), 1),
    message(
        MessageType.PCI_CREATE_INTERRUPT_MESSAGE2, payload=bytes([0x17, 0, 0x49, 0x42]) + bytes(74)
    ),
    message(MessageType.PCI_DELETE_INTERRUPT_MESSAGE),
)


@pytest.mark.parametrize("touch", TOUCHES, ids=lambda event: type(event).__name__)
def test_a_function_is_touched_until_it_is_given_up_and_not_afterwards(touch: object) -> None:
    assert holds(DeadFunctions, *ALIVE, touch, GIVEN_UP)
    assert broken(DeadFunctions, *ALIVE, GIVEN_UP, touch).kind == "dead-device-access"


def test_its_siblings_live_on() -> None:
    sibling = ConfigRead(BUS, OTHER_SLOT, 0, 4, 0)
    other_bus = ConfigRead("nvme1", SLOT, 0, 4, 0)
    create = message(MessageType.PCI_CREATE_INTERRUPT_MESSAGE, OTHER_SLOT)
    assert holds(DeadFunctions, *ALIVE, GIVEN_UP, sibling, other_bus, create)


def test_memory_that_is_nobodys_or_somebody_elses_may_be_unclaimed() -> None:
    beyond = UnclaimedAccess(Gpa(BAR_AT + 0x4000), 4)
    heir = BarAssigned("454f:00:01.0", 0, BAR_AT, 0x4000)
    assert holds(DeadFunctions, *ALIVE, GIVEN_UP, beyond, heir, UnclaimedAccess(Gpa(BAR_AT), 4))


def test_the_next_function_in_the_slot_is_another_one() -> None:
    assert holds(DeadFunctions, *ALIVE, GIVEN_UP, CHILD, READ)


def test_the_next_life_of_the_bus_is_another_one() -> None:
    assert holds(DeadFunctions, *ALIVE, GIVEN_UP, ChannelOffered(BUS, RELID), READ)


@pytest.mark.parametrize("revived", [(), (BACK,)], ids=["found", "made again"])
def test_a_scan_that_finds_an_ejected_slot_again_is_open_item_5(
    revived: tuple[PciDevAdded, ...],
) -> None:
    tale = (*ALIVE, EJECT, PciDevRemoved(ADDRESS), *revived, GIVEN_UP, READ)
    assert told(DeadFunctions, *tale, may_show=("O5",)) == (None, ("O5",))
    assert "open item O5" in broken(DeadFunctions, *tale).message


def test_a_slot_number_counts_with_its_function() -> None:
    function = SlotNumber(1 << 5)
    assert holds(DeadFunctions, *ALIVE, GIVEN_UP, ConfigRead(BUS, function, 0, 4, 0))


def test_a_device_that_somebody_removed_before_the_eject_is_touched_as_any_other() -> None:
    tale = (*ALIVE, PciDevRemoved(ADDRESS), BACK, EJECT, GIVEN_UP, READ)
    assert "open item" not in broken(DeadFunctions, *tale).message


def test_a_hibernation_that_has_the_device_in_hand_is_the_open_item() -> None:
    tale = (*ALIVE, EJECT, PciDevRemoved(ADDRESS), GIVEN_UP, At(0, "thread/0:hibernate"), READ)
    assert told(DeadFunctions, *tale, may_show=("O33",)).known == ("O33",)
    assert "open item O33" in broken(DeadFunctions, *tale).message
