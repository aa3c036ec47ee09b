# SPDX-License-Identifier: MIT
"""Scanning a bus, giving out addresses, and taking everything away again."""

from __future__ import annotations

from errno import EEXIST, ENOMEM

from guest.kernel.resource import IORESOURCE_MEM_64, IORESOURCE_UNSET
from guest.pci_core import sysfs
from guest.pci_core.events import BarAssigned, PciDevAdded, PciDevRemoved
from guest.pci_core.types import PciDev
from protocol.ids import Devfn
from tests.guest.pci_core.fakes import (
    HIGH_WINDOW,
    LOW_WINDOW,
    RegisterFile,
    Rig,
    nvme,
    window,
)


def test_an_empty_bus_is_asked_once_per_slot() -> None:
    rig = Rig()
    rig.bring_up()
    assert rig.ops.empty_reads == list(range(0, 256, 8))
    assert rig.pci.devices == {}


def test_a_single_function_device_is_not_asked_for_more_functions() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    assert rig.ops.empty_reads == list(range(8, 256, 8))
    assert len(rig.ops.log) + len(rig.ops.empty_reads) < 175


def test_a_multi_function_device_is_asked_for_all_eight() -> None:
    rig = Rig()
    rig.ops.functions[0] = RegisterFile(header=0x80)
    rig.ops.functions[3] = RegisterFile(device=0x1234)
    rig.bring_up()
    assert [devfn for devfn in rig.ops.empty_reads if devfn < 8] == [1, 2, 4, 5, 6, 7]
    assert [dev.device for dev in sysfs.devices(rig.pci)] == [0xA80A, 0x1234]


def test_a_rescan_asks_known_functions_nothing() -> None:
    rig = Rig()
    rig.ops.functions[0] = RegisterFile(header=0x80)
    rig.ops.functions[3] = RegisterFile(device=0x1234)
    bus = rig.bring_up()
    rig.ops.log.clear()
    rig.run(rig.pci.scan_child_bus(bus))
    assert rig.ops.log == []


def test_without_function_0_the_others_stay_unseen() -> None:
    rig = Rig()
    rig.ops.functions[1] = RegisterFile()
    rig.bring_up()
    assert rig.pci.devices == {}


def test_vendor_ids_of_nobody_are_no_device() -> None:
    for vendor, device in ((0xFFFF, 0xFFFF), (0, 0), (0xFFFF, 0), (0, 0xFFFF)):
        rig = Rig()
        rig.ops.functions[0] = RegisterFile(vendor, device)
        rig.bring_up()
        assert rig.pci.devices == {}


def test_a_device_that_asks_for_patience_gets_a_minute() -> None:
    rig = Rig()
    rig.ops.functions[0] = RegisterFile(vendor=0x0001)
    rig.bring_up()
    assert rig.pci.devices == {}
    # 1, 2, 4 … 32768 ms: the next delay would be longer than a minute.
    assert rig.kernel.now_ns() == ((1 << 16) - 1) * 1_000_000


def test_an_unknown_header_type_is_ignored() -> None:
    rig = Rig()
    rig.ops.functions[0] = RegisterFile(header=0x05)
    rig.bring_up()
    assert rig.pci.devices == {}
    rig.tear_down()
    assert rig.kernel.heap.census() == {}


def test_what_was_read_can_be_seen_in_sysfs() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    (dev,) = sysfs.devices(rig.pci)
    assert dev.address == "1234:00:00.0"
    assert (dev.vendor, dev.device) == (0x144D, 0xA80A)
    assert (dev.subsystem_vendor, dev.subsystem_device) == (0x144D, 0xA801)
    assert (dev.class_code, dev.revision) == (0x010802, 0)
    assert dev.resources[0][:2] == (HIGH_WINDOW, HIGH_WINDOW + 0x3FFF)
    assert dev.driver is None
    assert dev.enable == 0
    assert rig.events_of(PciDevAdded) == [PciDevAdded("1234:00:00.0", 0x144D, 0xA80A)]


def test_capabilities_are_found_in_a_list_that_never_ends() -> None:
    rig = Rig()
    function = nvme()
    function.put(0xB1, 1, 0x40)  # the last one points back to the first
    rig.ops.functions[0] = function
    rig.bring_up()
    dev = the_device(rig)
    assert (dev.pm_cap, dev.pcie_cap, dev.msix_cap, dev.msi_cap) == (0x40, 0x70, 0xB0, 0)


def test_extended_space_counts_where_it_answers_and_is_no_alias() -> None:
    for first, second, size in ((0, 0, 4096), (0xFFFF_FFFF, 0, 256), (None, 0, 4096)):
        rig = Rig()
        function = nvme()
        function.put(0x100, 4, function.get(0, 4) if first is None else first)
        function.put(0x200, 4, second)
        rig.ops.functions[0] = function
        rig.bring_up()
        assert the_device(rig).cfg_size == size


def test_extended_space_that_repeats_the_first_256_bytes_does_not_count() -> None:
    rig = Rig()
    function = nvme()
    for where in range(0x100, 0x1000, 0x100):
        function.put(where, 4, function.get(0, 4))
    rig.ops.functions[0] = function
    rig.bring_up()
    assert the_device(rig).cfg_size == 256


def test_a_scan_tries_to_mask_intx_and_leaves_decoding_off() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.run(rig.pci.scan_root_bus_bridge(rig.bridge))
    assert rig.ops.command_writes() == [0x0400, 0]


def test_wide_bars_go_high_and_narrow_ones_low_the_largest_first() -> None:
    rig = Rig()
    function = RegisterFile()
    function.bar(0, 16 << 20)
    function.bar(1, 128 << 30, wide=True, prefetch=True)
    function.bar(3, 32 << 20, wide=True, prefetch=True)
    function.bar(5, 1 << 20)
    rig.ops.functions[0] = function
    rig.bring_up()
    assert rig.events_of(BarAssigned) == [
        BarAssigned("1234:00:00.0", 1, 0x20_0000_0000, 128 << 30),
        BarAssigned("1234:00:00.0", 3, HIGH_WINDOW, 32 << 20),
        BarAssigned("1234:00:00.0", 0, LOW_WINDOW, 16 << 20),
        BarAssigned("1234:00:00.0", 5, LOW_WINDOW + (16 << 20), 1 << 20),
    ]
    assert function.get(0x14, 4) == 0x0000_000C
    assert function.get(0x18, 4) == 0x20
    assert function.get(0x10, 4) == LOW_WINDOW


def test_a_wide_bar_falls_back_to_the_low_window() -> None:
    rig = Rig()
    rig.windows.pop()
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    assert the_device(rig).resource[0].start == LOW_WINDOW


def test_a_bar_that_does_not_fit_is_given_up() -> None:
    rig = Rig(low_bytes=1 << 20)
    function = RegisterFile()
    function.bar(0, 2 << 20)
    rig.ops.functions[0] = function
    rig.bring_up()
    assert the_device(rig).resource[0].flags == 0
    assert any("can't assign; no space" in text for _, _, text in rig.kernel.log_lines)


def test_contiguous_windows_become_one() -> None:
    rig = Rig()
    rig.windows[:] = [window(LOW_WINDOW, 1 << 20), window(LOW_WINDOW + (1 << 20), 1 << 20)]
    bus = rig.bring_up()
    assert [(res.start, res.size) for res in bus.resources] == [(LOW_WINDOW, 2 << 20)]


def test_a_second_bus_of_the_same_domain_is_refused() -> None:
    rig = Rig()
    rig.bring_up()
    other = rig.pci.alloc_host_bridge(rig.ops, 0x1234, [], None, rig.msi, rig.parent)
    assert rig.run(rig.pci.scan_root_bus_bridge(other)) == -EEXIST
    assert rig.parents == 1


def test_a_root_bus_keeps_the_device_below_which_it_is_until_it_goes() -> None:
    rig = Rig()
    assert rig.parents == 0
    rig.bring_up()
    assert rig.parents == 1
    rig.tear_down()
    assert rig.parents == 0


def test_a_bus_without_memory_is_an_error() -> None:
    rig = Rig()
    rig.kernel.fail_allocation = lambda name: name == "PciBus"
    assert rig.run(rig.pci.scan_root_bus_bridge(rig.bridge)) == -ENOMEM


def test_a_rescan_finds_newcomers_and_leaves_the_rest_alone() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.bring_up()
    first = the_device(rig)
    rig.ops.functions[8] = nvme()
    rig.ops.log.clear()
    rig.run(rig.pci.rescan())
    assert the_device(rig) is first
    assert len(rig.pci.devices) == 2
    assert the_device(rig, 8).resource[0].start == HIGH_WINDOW + 0x4000
    assert the_device(rig, 8).is_added


def test_a_bare_scan_gives_newcomers_neither_addresses_nor_drivers() -> None:
    # What pci-hyperv does when relations grow.
    rig = Rig()
    bus = rig.bring_up()
    rig.ops.functions[0] = nvme()
    rig.run(rig.pci.scan_child_bus(bus))
    dev = the_device(rig)
    assert dev.resource[0].parent is None
    assert dev.resource[0].flags & (IORESOURCE_MEM_64 | IORESOURCE_UNSET) == IORESOURCE_MEM_64
    assert not dev.is_added


def test_removal_gives_everything_back() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.ops.functions[8] = nvme()
    rig.bring_up()
    rig.tear_down()
    assert rig.kernel.heap.census() == {}
    assert all(not res.children for res in rig.windows)
    assert rig.pci.devices == {}
    assert rig.pci.buses == {}
    assert rig.bridge.bus is None
    # Devices are destroyed in the order in which they were found.
    removed = [event.address for event in rig.events_of(PciDevRemoved)]
    assert removed == ["1234:00:00.0", "1234:00:01.0"]


def test_a_held_device_outlives_its_removal() -> None:
    rig = Rig()
    rig.ops.functions[0] = nvme()
    rig.bring_up()

    async def body() -> None:
        dev = rig.pci.get_domain_bus_and_slot(0x1234, 0, Devfn(0))
        assert dev is not None
        await rig.pci.stop_and_remove_bus_device(dev)
        assert rig.pci.get_domain_bus_and_slot(0x1234, 0, Devfn(0)) is None
        assert rig.kernel.heap.census() == {"PciBus": 1, "PciDev": 1}
        # A second removal finds nothing to do.
        await rig.pci.stop_and_remove_bus_device(dev)
        await rig.pci.dev_put(dev)

    rig.run(body())
    assert rig.kernel.heap.census() == {"PciBus": 1}


def the_device(rig: Rig, devfn: int = 0) -> PciDev:
    return rig.pci.devices[(0x1234, 0, devfn)]
