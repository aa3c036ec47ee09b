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
from guest.kernel.ops import NS_PER_MS
from guest.pci_hyperv.device import HvPciDev
from guest.vmbus.driver_core import unbind_device
from host.devices.nvme_ssd import NVME_SSD
from host.function import Function
from protocol.link import PacketPublished
from protocol.pci_regs import PCI_BASE_ADDRESS_0, PCI_COMMAND, PCI_COMMAND_MEMORY
from protocol.vmbus import VM_PKT_COMP
from protocol.vpci import (
    MessageType,
    PciBusD0Entry,
    PciQResReqResponse,
    PciVersionRequest,
    message_name,
)
from tests.guest.pci_hyperv.story import (
    ALL_VERSIONS,
    CONFIG_PAGE,
    HIGH_MMIO,
    RELID,
    TWO_NODES,
    Story,
)
from tests.guest.pci_hyperv.test_interrupts import TwoVectors

ASSIGNED_BYTES = {"1.1": 152, "1.2": 208, "1.3": 208, "1.4": 208}  # 148 and 202, as in the ring


@pytest.mark.wire_note("2.0a", "3.3b", "4.3b")
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


@pytest.mark.wire_note("2.1a")
def test_probe_goes_on_only_when_the_resources_of_every_function_have_been_told() -> None:
    story = Story(profiles=(NVME_SSD, NVME_SSD))
    kind = MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS
    answer = PciQResReqResponse(0, story.host.functions[0].probed_bars()).build()
    story.host.silent.add(kind)
    story.host.offer()

    def tell() -> None:
        assert story.host.names[-1] == kind.name.removeprefix("PCI_")
        story.host.send(answer, trans_id=1, kind=VM_PKT_COMP)

    for at_ms in (300, 600):
        story.engine.later((at_ms * NS_PER_MS,) * 2, "resources", tell)
    story.run()
    assert story.host.names.count("QUERY_RESOURCE_REQUIREMENTS") == 2
    assert story.returned("hv_pci_probe") == [0]


@pytest.mark.wire_note("2.1b")
def test_the_state_lock_is_held_from_d0_entry_to_the_interrupts_of_the_drivers_probe() -> None:
    story = Story(cpus=2)
    story.pci.register_driver(TwoVectors(story))
    mmio_write = story.host.mmio_write
    held: dict[str, set[bool]] = {}

    def note(what: str) -> None:
        held.setdefault(what, set()).add(story.hbus.state_lock.owner is not None)

    def happened(event: object) -> None:
        if isinstance(event, PacketPublished):
            note(message_name(event.payload).removeprefix("PCI_"))

    def write(gpa: int, size: int, value: int) -> int:
        note("configuration")
        return mmio_write(gpa, size, value)

    story.kernel.emit = happened
    story.host.mmio_write = write  # type: ignore[method-assign]  # the fake's own method, watched
    story.arrive()
    locked = {what for what, seen in held.items() if seen == {True}}
    create = "CREATE_INTERRUPT_MESSAGE3"
    assert locked >= {"BUS_D0ENTRY", "RESOURCES_ASSIGNED2", "configuration", create}
    assert held["QUERY_BUS_RELATIONS"] == {False}
    assert story.hbus.state_lock.owner is None


@pytest.mark.wire_note("2.2b", "2.2c")
@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_a_whole_life_uses_no_message_beyond_those_of_the_notes(version: int) -> None:
    story = Story(version=version, cpus=2)
    story.pci.register_driver(TwoVectors(story))
    story.arrive()
    story.host.eject()
    story.run()
    story.thread(unbind_device(story.hdev))
    dialect = story.host.dialect
    own = (dialect.assigned_message, dialect.create_message)
    assert set(story.host.names) == {
        *(message.name.removeprefix("PCI_") for message in own),
        *("QUERY_PROTOCOL_VERSION", "QUERY_BUS_RELATIONS", "QUERY_RESOURCE_REQUIREMENTS"),
        *("BUS_D0ENTRY", "DELETE_INTERRUPT_MESSAGE", "EJECTION_COMPLETE", "BUS_D0EXIT"),
    }


@pytest.mark.wire_note("2.6a")
@pytest.mark.parametrize("version", ALL_VERSIONS)
def test_resources_are_assigned_by_a_type_a_slot_and_zeros(version: int) -> None:
    story = Story(version=version, profiles=())
    story.host.functions[0x21] = Function(NVME_SSD)
    story.arrive()
    kind = story.host.dialect.assigned_message.to_bytes(4, "little")
    assigned = story.host.received[-1]
    assert assigned == kind + (0x21).to_bytes(4, "little") + bytes(len(assigned) - 8)


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


@pytest.mark.wire_note("7.6c")
def test_the_domain_comes_from_the_instance_id() -> None:
    story = Story().arrive()
    (chosen,) = story.of(DomainChosen)
    assert (chosen.requested, chosen.domain) == (0x0405, 0x0405)
    assert story.devices[0].name == "0405:00:00.0"


@pytest.mark.wire_note("7.1a")
def test_the_window_is_told_in_d0_entry_and_the_bars_lie_above_4_gib() -> None:
    story = Story().arrive()
    d0_entry = PciBusD0Entry.parse(story.host.received[-2])
    assert d0_entry.mmio_base == story.hbus.cfg_addr
    (window,) = story.of(BridgeWindowAllocated)
    assert (window.window, window.size_bytes) == ("high", story.hbus.high_mmio_space)
    assert HIGH_MMIO[0] <= window.start <= HIGH_MMIO[1]
    assert story.devices[0].resource[0].start == window.start


@pytest.mark.wire_note("7.5a")
def test_memory_decoding_is_off_when_the_bars_are_written() -> None:
    story = Story(profiles=(NVME_SSD, NVME_SSD))
    for function in story.host.functions.values():
        function.write(PCI_COMMAND, 2, PCI_COMMAND_MEMORY)
    mmio_write = story.host.mmio_write
    decoding: list[int] = []

    def write(gpa: int, size: int, value: int) -> int:
        where = gpa - story.host.window - CONFIG_PAGE
        if PCI_BASE_ADDRESS_0 <= where < PCI_BASE_ADDRESS_0 + 24:
            function = story.host.functions[story.host.slot]
            decoding.append(function.read(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY)
        return mmio_write(gpa, size, value)

    story.host.mmio_write = write  # type: ignore[method-assign]  # the fake's own method, watched
    story.arrive()
    assert len(decoding) >= 4  # both words of both functions' BARs
    assert set(decoding) == {0}


def test_a_bus_without_functions_comes_up() -> None:
    story = Story(profiles=()).arrive()
    assert story.returned("hv_pci_probe") == [0]
    assert story.devices == []


@pytest.mark.wire_note("2.0f")
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


@pytest.mark.wire_note("4.4b", "4.4d")
def test_the_numa_node_of_the_list_is_used_if_the_guest_has_it() -> None:
    assert Story(numa=TWO_NODES).arrive().devices[0].numa_node == 1
    assert Story().arrive().devices[0].numa_node == 0


@pytest.mark.wire_note("4.4a")
@pytest.mark.parametrize(("flags", "node"), [(0, 0), (1, 1), (2, 0), (3, 1)])
def test_a_node_counts_only_if_the_first_flag_says_that_there_is_one(flags: int, node: int) -> None:
    story = Story(numa=TWO_NODES).arrive()
    (hpdev,) = story.hbus.children
    assert isinstance(hpdev, HvPciDev)
    desc = hpdev.desc._replace(flags=flags, virtual_numa_node=1)
    assert story.driver.numa_node_of(desc) == node


@pytest.mark.wire_note("4.4d")
def test_a_list_without_numa_nodes_means_node_zero() -> None:
    assert Story(version=0x10002, numa=TWO_NODES).arrive().devices[0].numa_node == 0
