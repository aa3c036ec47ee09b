# SPDX-License-Identifier: MIT
"""A device arrives: what the driver says to the host, in which order, at which version."""

from __future__ import annotations

import pytest

from guest.events import (
    BridgeWindowAllocated,
    BusStateChanged,
    ChildAdded,
    ChildSlotCreated,
    DomainChosen,
    VersionNegotiated,
)
from guest.pci_hyperv.device import HvPciDev
from protocol.vpci import PciBusD0Entry, PciVersionRequest
from tests.guest.pci_hyperv.story import ALL_VERSIONS, HIGH_MMIO, RELID, Story

ASSIGNED_BYTES = {"1.1": 152, "1.2": 208, "1.3": 208, "1.4": 208}  # 148 and 202, as in the ring


@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_the_driver_asks_in_the_kernels_order_at_every_version(version: int) -> None:
    story = Story(version=version).arrive()
    tried = ALL_VERSIONS[: ALL_VERSIONS.index(version) + 1]
    assigned = "RESOURCES_ASSIGNED" if version == ALL_VERSIONS[-1] else "RESOURCES_ASSIGNED2"
    assert story.host.names == [
        *("QUERY_PROTOCOL_VERSION" for _ in tried),
        "QUERY_BUS_RELATIONS",
        "QUERY_RESOURCE_REQUIREMENTS",
        "BUS_D0ENTRY",
        assigned,
    ]
    assert story.returned("hv_pci_probe") == [0]
    offered = [
        PciVersionRequest.parse(payload).protocol_version
        for payload in story.host.received[: len(tried)]
    ]
    assert offered == list(tried)
    name = story.of(VersionNegotiated)[0].version
    assert len(story.host.received[-1]) == ASSIGNED_BYTES[name]


def test_the_bus_becomes_probed_and_then_installed() -> None:
    story = Story().arrive()
    assert [event.state for event in story.of(BusStateChanged)] == ["probed", "installed"]


def test_the_function_becomes_a_child_a_pci_device_and_a_slot() -> None:
    story = Story().arrive()
    (added,) = story.of(ChildAdded)
    assert (added.relid, added.wslot, added.serial) == (RELID, 0, 0x1000)
    (device,) = story.devices
    assert (device.vendor, device.device) == (added.vendor, added.device)
    assert story.of(ChildSlotCreated)[0].name == "4096"
    assert device.slot is not None
    assert device.slot.name == "4096"


def test_a_child_keeps_two_references_when_all_is_quiet() -> None:
    story = Story().arrive()
    (hpdev,) = story.hbus.children
    assert isinstance(hpdev, HvPciDev)
    assert hpdev.refs.value == 2
    assert story.leaks() == {}


def test_the_domain_comes_from_the_instance_id() -> None:
    story = Story().arrive()
    (chosen,) = story.of(DomainChosen)
    assert (chosen.requested, chosen.domain) == (0x0405, 0x0405)
    assert story.devices[0].name == "0405:00:00.0"


def test_the_window_is_told_in_d0_entry_and_the_bars_lie_above_4_gib() -> None:
    story = Story().arrive()
    d0_entry = PciBusD0Entry.parse(story.host.received[-2])
    assert d0_entry.mmio_base == story.hbus.cfg_addr
    (window,) = story.of(BridgeWindowAllocated)
    assert (window.window, window.size_bytes) == ("high", story.hbus.high_mmio_space)
    assert HIGH_MMIO[0] <= window.start <= HIGH_MMIO[1]
    assert story.devices[0].resource[0].start == window.start


def test_memory_decoding_is_off_when_the_bars_are_written() -> None:
    story = Story(profiles=())
    story.arrive()
    assert story.returned("hv_pci_probe") == [0]
    assert story.devices == []


def test_several_functions_get_their_resources_in_rising_slot_order() -> None:
    story = Story(profiles=(), version=0x10004)
    function = Story().host.functions[0]
    for wslot in (0x40, 0x00, 0x20):  # functions 2, 0 and 1 of device 0
        story.host.functions[wslot] = type(function)(function.profile)
    for function in story.host.functions.values():
        function.mark_multifunction()
    story.arrive()
    assigned = [
        payload[4]
        for name, payload in zip(story.host.names, story.host.received, strict=True)
        if name == "RESOURCES_ASSIGNED2"
    ]
    assert assigned == [0x00, 0x20, 0x40]
    assert [device.devfn for device in story.devices] == [0, 1, 2]


def test_the_numa_node_of_the_list_is_used_if_the_guest_has_it() -> None:
    assert Story(numa_nodes=2).arrive().devices[0].numa_node == 1
    assert Story(numa_nodes=1).arrive().devices[0].numa_node == 0


def test_a_list_without_numa_nodes_means_node_zero() -> None:
    assert Story(version=0x10002, numa_nodes=2).arrive().devices[0].numa_node == 0
