# SPDX-License-Identifier: MIT
"""The bus goes: by unbinding the driver, or because the host rescinds the channel."""

from __future__ import annotations

from errno import EIO, ETIMEDOUT

import pytest

from guest.events import (
    BusStateChanged,
    ChildRemoved,
    D0Left,
    DriverRemoved,
    MessageIgnored,
    PacketDropped,
    RequestCompleted,
)
from guest.kernel.ops import NS_PER_MS
from guest.vmbus.driver_core import unbind_device
from protocol.link import MessagePosted, PacketPublished
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vmbus import VM_PKT_COMP, ChannelMessageType
from protocol.vpci import MessageType, PciResponse
from tests.guest.pci_hyperv.story import Story


def unbind(story: Story) -> None:
    """A write to the driver's ``unbind`` in sysfs."""
    story.thread(unbind_device(story.hdev))


@pytest.mark.wire_note("4.7a")
def test_unbinding_leaves_d0_and_says_nothing_of_resources() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    unbind(story)
    assert story.host.names[before:] == ["BUS_D0EXIT"]  # open item O23
    assert [event.why for event in story.of(ChildRemoved)] == ["bus-exit"]
    assert len(story.of(DriverRemoved)) == 1


@pytest.mark.wire_note("4.7b")
def test_unbinding_asks_to_leave_d0_with_an_answer_and_closes_only_after_it() -> None:
    story = Story().arrive()
    before = len(story.events)
    unbind(story)
    order = [
        event.flags if isinstance(event, PacketPublished) else type(event).__name__
        for event in story.events[before:]
        if isinstance(event, (PacketPublished, RequestCompleted, MessagePosted))
    ]
    assert order[:3] == [1, "RequestCompleted", "MessagePosted"]
    assert story.host.posted[-2] is ChannelMessageType.CHANNELMSG_CLOSECHANNEL


@pytest.mark.wire_note("3.8a")
@pytest.mark.parametrize("status", [0, 1, STATUS_UNSUCCESSFUL])
def test_whatever_the_status_of_d0_exit_the_bus_has_left_d0(status: int) -> None:
    story = Story().arrive()
    story.host.statuses[MessageType.PCI_BUS_D0EXIT] = [status]
    unbind(story)
    assert [event.errno for event in story.of(D0Left)] == [0]


def bus_exit(story: Story) -> int:
    """hv_pci_bus_exit() alone, with the functions kept."""
    results: list[int] = []

    async def body() -> None:
        results.append(await story.driver.hv_pci_bus_exit(story.hdev, keep_devs=True))

    story.thread(body())
    return results[0]


@pytest.mark.wire_note("4.8a")
def test_after_a_rescind_leaving_the_bus_succeeds_and_writes_nothing() -> None:
    story = Story().arrive()
    before = len(story.of(PacketPublished))
    story.hdev.channel.rescind = True
    assert bus_exit(story) == 0
    assert len(story.of(PacketPublished)) == before


def with_a_d0_exit_that_timed_out() -> Story:
    """A story whose host has yet to answer a D0 exit that nobody waits for any more."""
    story = Story().arrive()
    story.host.silent.add(MessageType.PCI_BUS_D0EXIT)
    assert bus_exit(story) == -ETIMEDOUT
    return story


@pytest.mark.wire_note("3.8b", "5.4c")
def test_a_late_answer_finds_nobody_since_its_id_was_taken_back() -> None:
    story = with_a_d0_exit_that_timed_out()
    requestor = story.hdev.channel.requestor
    assert requestor is not None
    assert requestor.in_use == 0
    story.host.send(PciResponse(0).build(), trans_id=1, kind=VM_PKT_COMP)
    story.run()
    assert [event.reason for event in story.of(PacketDropped)] == ["invalid transaction ID 1"]


@pytest.mark.wire_note("5.4d")
def test_a_late_answer_completes_the_request_that_has_its_id_now() -> None:
    story = with_a_d0_exit_that_timed_out()
    story.host.silent.add(MessageType.PCI_WRITE_BLOCK)
    late = PciResponse(STATUS_UNSUCCESSFUL).build()
    late_ns = story.engine.now_ns() + 50 * NS_PER_MS

    def answer_late() -> None:
        story.host.send(late, trans_id=1, kind=VM_PKT_COMP)

    async def write() -> None:
        assert await story.driver.hv_write_config_block(story.devices[0], 3, b"1") == -EIO

    story.engine.later((50 * NS_PER_MS,) * 2, "late answer", answer_late)
    story.thread(write())
    assert story.engine.now_ns() >= late_ns
    assert story.of(PacketDropped) == []


def test_unbinding_gives_everything_back() -> None:
    story = Story().arrive()
    unbind(story)
    assert story.leaks() == {}
    assert story.vmbus.mmio.taken == 0
    assert story.ring_blocks == 0
    assert story.pci.slot_names == {}
    assert story.pci.buses == {}


@pytest.mark.wire_note("3.8c", "8.2a")
def test_an_unanswered_d0_exit_is_given_up_after_ten_seconds() -> None:
    story = Story().arrive()
    story.host.silent.add(MessageType.PCI_BUS_D0EXIT)
    before_ns = story.engine.now_ns()
    unbind(story)
    assert story.of(D0Left)[-1].errno == -ETIMEDOUT
    assert 10_000 <= (story.engine.now_ns() - before_ns) / NS_PER_MS < 10_100
    assert story.leaks() == {}


@pytest.mark.wire_note("4.8a")
def test_a_rescind_says_nothing_on_the_ring_and_loses_the_children() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    story.host.rescind()
    story.run()
    assert story.host.names[before:] == []
    assert story.leaks() == {"HvPciDev": 1}  # open item O9
    assert story.vmbus.mmio.taken == 0
    assert story.ring_blocks == 0
    assert story.host.posted[-1] is ChannelMessageType.CHANNELMSG_RELID_RELEASED


def test_an_eject_before_the_rescind_leaves_nothing_behind() -> None:
    story = Story().arrive()
    story.host.eject()
    story.run()
    story.host.rescind()
    story.run()
    assert story.leaks() == {}


@pytest.mark.wire_note("4.3c")
def test_while_the_bus_is_removed_new_lists_and_ejects_are_ignored() -> None:
    story = Story().arrive()

    def bother_the_guest(_: bytes) -> bytes:
        story.host.relations()
        story.host.eject()
        return bytes(8)

    story.host.answers[MessageType.PCI_BUS_D0EXIT] = bother_the_guest
    unbind(story)
    assert [event.message for event in story.of(MessageIgnored)] == ["BUS_RELATIONS"]
    assert [event.state for event in story.of(BusStateChanged)][-1] == "removing"
    assert story.leaks() == {}


def test_the_device_can_be_bound_again() -> None:
    story = Story().arrive()
    unbind(story)
    story.hdev.drvdata = None

    async def bind() -> None:
        assert await story.driver.probe(story.hdev) == 0

    story.thread(bind())
    assert len(story.devices) == 1
