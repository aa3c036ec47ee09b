# SPDX-License-Identifier: MIT
"""Every PCI slot that a bus registered is given up once, before the bus is gone."""

from __future__ import annotations

from errno import EPROTO

from guest.events import (
    ChildSlotCreated,
    ChildSlotDestroyed,
    DriverRemoved,
    FunctionReturned,
    ProcessesFrozen,
    RootBusRemovalBegan,
)
from host.events import ChannelOffered
from protocol.ids import RelId
from sim.oracles.laws.slots_returned import SlotsReturned
from tests.sim.oracles.laws.tale import BUS, OTHER_SLOT, RELID, SLOT, broken, holds, told

CREATED = ChildSlotCreated(RELID, SLOT, "7")
DESTROYED = ChildSlotDestroyed(RELID, SLOT)
REMOVED = DriverRemoved(RELID)


def test_a_slot_may_come_and_go_several_times() -> None:
    assert holds(SlotsReturned, CREATED, DESTROYED, CREATED, DESTROYED, REMOVED)


def test_a_bus_that_is_still_there_keeps_its_slots() -> None:
    assert holds(SlotsReturned, CREATED)
    assert holds(SlotsReturned, CREATED, DriverRemoved(RelId(2)))


def test_a_slot_that_outlives_its_bus_is_lost() -> None:
    violation = broken(
        SlotsReturned, CREATED, ChildSlotCreated(RELID, OTHER_SLOT, "8"), DESTROYED, REMOVED
    )
    assert violation.kind == "leak"
    assert "slot of 0x1" in violation.message


def test_a_slot_is_given_up_once() -> None:
    assert "not registered" in broken(SlotsReturned, CREATED, DESTROYED, DESTROYED).message


def test_the_next_channel_of_that_number_has_no_slots() -> None:
    assert holds(SlotsReturned, CREATED, ChannelOffered(BUS, RELID), CREATED, DESTROYED, REMOVED)


def test_a_bus_that_hibernates_keeps_its_slots_for_known_reasons() -> None:
    asleep = (CREATED, ProcessesFrozen(), FunctionReturned(RELID, "hv_pci_suspend", 0))
    assert told(SlotsReturned, *asleep, REMOVED, may_show=("O33",)).known == ("O33",)
    failed = (CREATED, FunctionReturned(RELID, "hv_pci_resume", -EPROTO))
    assert told(SlotsReturned, *failed, REMOVED, may_show=("O8",)).known == ("O8",)


def test_a_bus_that_came_back_gives_its_slots_up_like_any_other() -> None:
    back = (
        *(CREATED, ProcessesFrozen(), FunctionReturned(RELID, "hv_pci_suspend", 0)),
        *(FunctionReturned(RELID, "hv_pci_resume", 0), FunctionReturned(RelId(0), "hibernate", 0)),
        RootBusRemovalBegan(RELID),
    )
    assert holds(SlotsReturned, *back, DESTROYED, REMOVED)
    assert "open item" not in broken(SlotsReturned, *back, REMOVED).message
