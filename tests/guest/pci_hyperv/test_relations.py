# SPDX-License-Identifier: MIT
"""Lists of functions: what the newest one leaves out is gone, what it adds is asked about."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from guest.events import (
    ChildAdded,
    ChildFreed,
    ChildRemoved,
    ChildSlotCreated,
    PacketDropped,
    RelationsQueued,
)
from guest.kernel.ops import NS_PER_MS
from host.devices.nvme_ssd import NVME_SSD
from host.function import Function
from protocol.versions import VPCI_DIALECTS
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_USING_GPA_DIRECT,
    VM_PKT_DATA_USING_XFER_PAGES,
)
from protocol.vpci import (
    MessageType,
    PciBusRelations,
    PciBusRelations2,
    PciDevIncoming,
    PciDevInvalBlock,
)
from tests.guest.pci_hyperv.story import TWO_NODES, Story

SECOND = 0x01  # device 1, function 0
SHORT_LIST = PciBusRelations2(device_count=0).build()[:4] + bytes([9, 0, 0, 0])


def test_a_repeated_list_changes_nothing() -> None:
    story = Story().arrive()
    story.host.relations(0)
    story.run()
    assert len(story.of(ChildAdded)) == 1
    assert story.of(ChildRemoved) == []
    assert story.leaks() == {}


@pytest.mark.wire_note("4.1b", "4.2a")
def test_a_function_that_the_list_leaves_out_is_freed_but_its_pci_dev_stays() -> None:
    story = Story().arrive()
    story.host.relations()
    story.run()
    assert [event.why for event in story.of(ChildRemoved)] == ["relations"]
    assert len(story.of(ChildFreed)) == 1
    assert story.hbus.children.empty()
    assert len(story.devices) == 1  # open item O16
    assert story.leaks() == {}


@pytest.mark.wire_note("4.1a")
def test_a_function_that_the_list_adds_is_queried_and_scanned() -> None:
    story = Story().arrive()
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.relations(0, SECOND)
    story.run()
    assert story.host.names[-1] == "QUERY_RESOURCE_REQUIREMENTS"
    assert [device.devfn for device in story.devices] == [0, 8]


@pytest.mark.wire_note("4.3a")
def test_a_list_on_an_installed_bus_leads_to_a_scan_and_to_slots_and_nodes() -> None:
    story = Story(numa=TWO_NODES).arrive()
    story.devices[0].numa_node = 0
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.relations(0, SECOND)
    story.run()
    assert [event.name for event in story.of(ChildSlotCreated)] == ["4096", "4097"]
    assert [device.numa_node for device in story.devices] == [1, 1]


@pytest.mark.wire_note("4.1d")
@pytest.mark.parametrize(
    ("field", "another"),
    [
        *((field, True) for field in ("v_id", "d_id", "ser", "win_slot")),
        *((field, False) for field in ("rev", "subclass", "subsystem_id", "virtual_numa_node")),
    ],
)
def test_slot_vendor_device_and_serial_number_say_which_function_it_is(
    field: str, another: bool
) -> None:
    story = Story().arrive()
    entry = PciBusRelations2.parse(story.host.relations_payload(0)).func[0]
    entry = replace(entry, **{field: getattr(entry, field) ^ 1})
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.send(PciBusRelations2(device_count=1, func=(entry,)).build())
    story.run()
    assert len(story.of(ChildAdded)) == 1 + another
    assert len(story.of(ChildRemoved)) == another


@pytest.mark.wire_note("4.1c")
def test_only_the_newest_of_several_queued_lists_counts() -> None:
    story = Story().arrive()
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.relations()
    story.host.relations(0, SECOND)
    story.host.relations(0)
    story.run()
    assert story.of(ChildRemoved) == []
    assert len(story.of(ChildAdded)) == 1
    assert [event.coalesced for event in story.of(RelationsQueued)][-2:] == [True, True]
    assert story.leaks() == {}


@pytest.mark.wire_note("3.11a")
def test_a_list_shorter_than_its_count_is_dropped() -> None:
    story = Story().arrive()
    story.host.send(SHORT_LIST)
    story.run()
    assert [event.reason for event in story.of(PacketDropped)] == ["bus relations v2 too small"]
    assert not story.hbus.children.empty()


def test_without_memory_a_list_is_lost() -> None:
    story = Story().arrive()
    story.kernel.fail_allocation = "HvDrState".__eq__
    story.host.relations()
    story.run()
    assert not story.hbus.children.empty()
    story.kernel.fail_allocation = "HvDrWork".__eq__
    story.host.relations()
    story.run()
    assert not story.hbus.children.empty()
    assert story.leaks() == {}


@pytest.mark.wire_note("2.2a")
@pytest.mark.parametrize(("agreed", "listed"), [(0x10004, 0x10001), (0x10001, 0x10004)])
def test_a_list_of_the_other_form_is_understood_too(agreed: int, listed: int) -> None:
    story = Story(version=agreed).arrive()
    story.host.dialect = VPCI_DIALECTS[listed]
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.relations(SECOND)
    story.run()
    assert [hpdev.desc.win_slot for hpdev in story.hbus.children] == [SECOND]


@pytest.mark.wire_note("3.11b")
def test_a_query_that_was_answered_by_a_broken_list_waits_on_for_a_good_one() -> None:
    story = Story()
    story.host.silent.add(MessageType.PCI_QUERY_BUS_RELATIONS)
    story.host.offer()

    def good_list() -> None:
        assert len(story.of(PacketDropped)) == 1
        assert story.returned("hv_pci_probe") == []
        story.host.relations(0)

    story.engine.later((200 * NS_PER_MS,) * 2, "list", lambda: story.host.send(SHORT_LIST))
    story.engine.later((60_000 * NS_PER_MS,) * 2, "list", good_list)
    story.run()
    assert story.returned("hv_pci_probe") == [0]
    assert len(story.devices) == 1


UNDERSTOOD = {
    MessageType.PCI_BUS_RELATIONS: PciBusRelations(),
    MessageType.PCI_BUS_RELATIONS2: PciBusRelations2(),
    MessageType.PCI_EJECT: PciDevIncoming(message_type=MessageType.PCI_EJECT, wslot=9),
    MessageType.PCI_INVALIDATE_BLOCK: PciDevInvalBlock(wslot=9),
}


@pytest.mark.wire_note("3.10a", "3.10b")
@pytest.mark.parametrize("kind", MessageType)
def test_four_messages_are_understood_and_all_others_dropped(kind: MessageType) -> None:
    story = Story().arrive()
    message = UNDERSTOOD.get(kind)
    story.host.send(message.build() if message else kind.to_bytes(8, "little"))
    story.run()
    reasons = [] if message else [f"unimplemented protocol message {kind:x}"]
    assert [event.reason for event in story.of(PacketDropped)] == reasons
    assert [text for _, _, text in story.kernel.log_lines if "unimplemented" in text] == reasons


@pytest.mark.wire_note("3.10b")
@pytest.mark.parametrize("kind", [VM_PKT_DATA_USING_XFER_PAGES, VM_PKT_DATA_USING_GPA_DIRECT])
def test_packets_that_are_neither_in_band_nor_completions_are_dropped(kind: int) -> None:
    story = Story().arrive()
    story.host.send(story.host.relations_payload(), kind=kind)
    story.run()
    dropped = [event.reason for event in story.of(PacketDropped)]
    assert dropped == [f"unhandled packet type {kind}"]
    assert not story.hbus.children.empty()


def test_a_second_query_while_one_waits_is_refused() -> None:
    story = Story().arrive()
    results = []

    async def two_queries() -> None:
        story.hbus.survey_event = object()  # type: ignore[assignment]  # somebody else's event
        results.append(await story.driver.hv_pci_query_relations(story.hdev))
        story.hbus.survey_event = None

    story.thread(two_queries())
    assert results == [-39]


@pytest.mark.wire_note("4.2b", "4.2c")
def test_a_list_before_the_query_makes_children_and_the_query_waits_for_another() -> None:
    story = Story()
    silent, host = MessageType.PCI_QUERY_BUS_RELATIONS, story.host
    host.silent.add(silent)

    def list_alone(_: bytes) -> None:
        host.relations(0)

    def accept() -> None:
        assert len(story.of(ChildAdded)) == 1
        host.send(bytes(8), trans_id=1, kind=VM_PKT_COMP)

    def second_list() -> None:
        assert host.names[-1] == silent.name.removeprefix("PCI_")
        assert story.returned("hv_pci_probe") == []
        host.relations(0)

    host.answers[MessageType.PCI_QUERY_PROTOCOL_VERSION] = list_alone
    host.offer()
    story.engine.later((200 * NS_PER_MS,) * 2, "version", accept)
    story.engine.later((60_000 * NS_PER_MS,) * 2, "list", second_list)
    story.run()
    assert story.returned("hv_pci_probe") == [0]
    assert len(story.of(ChildAdded)) == 1


def test_a_list_larger_than_the_first_buffer_is_received() -> None:
    story = Story(profiles=(NVME_SSD,) * 12).arrive()  # 8 + 12 * 28 bytes; the buffer holds 256
    assert len(story.of(ChildAdded)) == 12
    assert len(story.devices) == 12


def test_without_memory_for_a_buffer_the_packets_are_read_later() -> None:
    story = Story(profiles=(NVME_SSD,) * 12)
    wanted: list[str] = []

    def every_third_buffer(what: str) -> bool:
        if what != "PacketBuffer":
            return False
        wanted.append(what)
        return len(wanted) % 3 == 0

    story.kernel.fail_allocation = every_third_buffer
    story.arrive()
    assert len(story.of(ChildAdded)) == 12
    assert story.leaks() == {}
