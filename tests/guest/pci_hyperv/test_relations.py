# SPDX-License-Identifier: MIT
"""Lists of functions: what the newest one leaves out is gone, what it adds is asked about."""

from __future__ import annotations

from guest.events import ChildAdded, ChildFreed, ChildRemoved, PacketDropped, RelationsQueued
from guest.kernel.memory import GFP_ATOMIC
from guest.pci_hyperv.relations import HvDrState
from host.devices.nvme_ssd import NVME_SSD
from host.function import Function
from protocol.vpci import PciBusRelations2
from tests.guest.pci_hyperv.story import Story

SECOND = 0x01  # device 1, function 0


def test_a_repeated_list_changes_nothing() -> None:
    story = Story().arrive()
    story.host.relations(0)
    story.run()
    assert len(story.of(ChildAdded)) == 1
    assert story.of(ChildRemoved) == []
    assert story.leaks() == {}


def test_a_function_that_the_list_leaves_out_is_freed_but_its_pci_dev_stays() -> None:
    story = Story().arrive()
    story.host.relations()
    story.run()
    assert [event.why for event in story.of(ChildRemoved)] == ["relations"]
    assert len(story.of(ChildFreed)) == 1
    assert story.hbus.children.empty()
    assert len(story.devices) == 1  # open item O16
    assert story.leaks() == {}


def test_a_function_that_the_list_adds_is_queried_and_scanned() -> None:
    story = Story().arrive()
    story.host.functions[SECOND] = Function(NVME_SSD)
    story.host.relations(0, SECOND)
    story.run()
    assert story.host.names[-1] == "QUERY_RESOURCE_REQUIREMENTS"
    assert [device.devfn for device in story.devices] == [0, 8]


def test_a_function_with_another_serial_number_is_another_function() -> None:
    story = Story().arrive()
    story.host.serials[0] = 77
    story.host.relations(0)
    story.run()
    assert [event.serial for event in story.of(ChildAdded)] == [0x1000, 77]
    assert [event.serial for event in story.of(ChildRemoved)] == [0x1000]


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


def test_a_list_shorter_than_its_count_is_dropped() -> None:
    story = Story().arrive()
    story.host.send(PciBusRelations2(device_count=0).build()[:4] + bytes([9, 0, 0, 0]))
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


def test_a_list_of_the_other_form_is_understood_too() -> None:
    story = Story(version=0x10001)
    story.host.dialect = Story(version=0x10004).host.dialect
    story.driver.versions = (story.host.dialect,)
    story.arrive()
    story.host.dialect = Story(version=0x10001).host.dialect
    story.host.relations()
    story.run()
    assert story.hbus.children.empty()


def test_an_unknown_message_is_dropped() -> None:
    story = Story().arrive()
    story.host.send(bytes.fromhex("1c00494200000000"))
    story.run()
    assert [event.reason for event in story.of(PacketDropped)] == [
        "unimplemented protocol message 4249001c"
    ]


def test_a_second_query_while_one_waits_is_refused() -> None:
    story = Story().arrive()
    results = []

    async def two_queries() -> None:
        story.hbus.survey_event = object()  # type: ignore[assignment]  # somebody else's event
        results.append(await story.driver.hv_pci_query_relations(story.hdev))
        story.hbus.survey_event = None

    story.thread(two_queries())
    assert results == [-39]


def test_a_list_that_comes_before_the_query_makes_children_all_the_same() -> None:
    story = Story().arrive()
    hbus = story.hbus

    async def late_list() -> None:
        dr = await story.kernel.kzalloc(HvDrState, GFP_ATOMIC, ())
        assert dr is not None
        assert await story.driver.hv_pci_start_relations_work(hbus, dr) == 0

    story.thread(late_list())
    assert hbus.children.empty()


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
