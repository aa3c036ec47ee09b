# SPDX-License-Identifier: MIT
"""Slots: one per number, shared by reference, renamed when a name is taken."""

from __future__ import annotations

import pytest

from guest.kernel.faults import UseAfterFree
from guest.pci_core import sysfs
from guest.pci_core.types import PciBus, PciSlot
from tests.guest.pci_core.fakes import Rig, nvme


def create(rig: Rig, bus: PciBus, number: int, name: str) -> PciSlot:
    slot = rig.run(rig.pci.create_slot(bus, number, name))
    assert isinstance(slot, PciSlot)
    return slot


def test_two_functions_of_one_device_share_a_slot() -> None:
    rig = Rig()
    bus = rig.bring_up()
    first = create(rig, bus, 0, "1")
    second = create(rig, bus, 0, "2")
    assert first is second
    assert first.name == "1"
    rig.run(rig.pci.destroy_slot(first))
    assert sysfs.slots(rig.pci) == [sysfs.SysfsSlot("1", "1234:00:00")]
    rig.run(rig.pci.destroy_slot(second))
    assert sysfs.slots(rig.pci) == []


def test_a_name_that_is_taken_gets_a_number() -> None:
    rig = Rig()
    bus = rig.bring_up()
    names = [create(rig, bus, number, "7").name for number in range(3)]
    assert names == ["7", "7-1", "7-2"]


def test_a_device_takes_its_slot_whichever_comes_first() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    bus = rig.bring_up()
    slot = create(rig, bus, 0, "1")
    later = create(rig, bus, 1, "2")
    rig.ops.functions[8] = nvme()
    rig.run(rig.pci.scan_child_bus(bus))
    assert rig.pci.devices[(0x1234, 0, 0)].slot is slot
    assert rig.pci.devices[(0x1234, 0, 8)].slot is later
    rig.run(rig.pci.destroy_slot(slot))
    assert rig.pci.devices[(0x1234, 0, 0)].slot is None


def test_a_slot_keeps_its_bus_alive() -> None:
    rig = Rig()
    bus = rig.bring_up()
    slot = create(rig, bus, 0, "1")
    rig.tear_down()
    assert rig.kernel.heap.census() == {"PciBus": 1, "PciSlot": 1}
    rig.run(rig.pci.destroy_slot(slot))
    assert rig.kernel.heap.census() == {}


def test_destroying_a_slot_once_too_often_is_a_fault() -> None:
    rig = Rig()
    bus = rig.bring_up()
    slot = create(rig, bus, 0, "1")
    rig.run(rig.pci.destroy_slot(slot))
    with pytest.raises(UseAfterFree):
        rig.run(rig.pci.destroy_slot(slot))


def test_a_slot_without_memory_is_none() -> None:
    rig = Rig()
    bus = rig.bring_up()
    rig.kernel.fail_allocation = lambda name: name == "PciSlot"
    assert rig.run(rig.pci.create_slot(bus, 0, "1")) is None
    assert not rig.pci.slot_mutex.locked
