# SPDX-License-Identifier: MIT
"""When a bus is installed its functions are there, unless something excuses the guest."""

from __future__ import annotations

from guest.events import BusStateChanged, ChildAdded, ChildRemoved, DomainChosen
from guest.pci_core.events import PciDevAdded
from host.events import ChannelOffered, DeviceUnassigned, Rescinded
from protocol.ids import SlotNumber
from sim.fault_events import FaultInjected
from sim.faults import ALLOCATION_FAILURE
from sim.oracles.laws.functions_appear import FunctionsAppear
from tests.sim.oracles.laws.tale import BUS, RELID, SLOT, broken, holds, told

CHILD = ChildAdded(RELID, SLOT, 0, 0, 7)
BORN = (ChannelOffered(BUS, RELID), DomainChosen(RELID, 0x454F, 0x454F), CHILD)
ADDED = PciDevAdded("454f:00:00.0", 0, 0)
ELSEWHERE = PciDevAdded("4550:00:00.0", 0, 0)
INSTALLED = BusStateChanged(RELID, "installed")


def test_a_function_that_the_scan_finds_is_there() -> None:
    assert holds(FunctionsAppear, *BORN, ADDED, INSTALLED)


def test_a_function_that_the_scan_did_not_find_is_lost() -> None:
    violation = broken(FunctionsAppear, *BORN, ELSEWHERE, INSTALLED)
    assert violation.kind == "lost-device"
    assert "slot 0x0 of channel 1" in violation.message


def test_a_bus_that_is_not_installed_yet_may_miss_its_functions() -> None:
    assert holds(FunctionsAppear, *BORN, BusStateChanged(RELID, "probed"))


def test_what_was_unlinked_or_taken_away_is_not_missed() -> None:
    assert holds(FunctionsAppear, *BORN, ChildRemoved(RELID, SLOT, 7, "relations"), INSTALLED)
    assert holds(FunctionsAppear, *BORN, DeviceUnassigned(BUS, SLOT), INSTALLED)
    assert holds(FunctionsAppear, *BORN, Rescinded(BUS, RELID), INSTALLED)


def test_a_guest_without_memory_may_miss_a_function() -> None:
    fault = FaultInjected(ALLOCATION_FAILURE, "PciDev")
    assert holds(FunctionsAppear, *BORN, fault, INSTALLED)


def test_a_function_that_comes_with_a_resume_waits_for_the_next_list() -> None:
    resumed = (BusStateChanged(RELID, "init"), CHILD, INSTALLED)
    tale = (*BORN, ADDED, INSTALLED, *resumed)
    assert told(FunctionsAppear, *tale, may_show=("O37",)).known == ("O37",)
    assert holds(FunctionsAppear, *BORN, ADDED, INSTALLED, resumed[0], INSTALLED)


def test_functions_behind_a_function_0_are_not_judged() -> None:
    sibling = ChildAdded(RELID, SlotNumber(0x20), 0, 0, 8)
    assert holds(FunctionsAppear, *BORN, sibling, ADDED, INSTALLED)


def test_the_next_channel_of_that_number_begins_anew() -> None:
    assert holds(FunctionsAppear, *BORN, ChannelOffered(BUS, RELID), INSTALLED)
