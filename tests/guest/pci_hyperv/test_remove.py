# SPDX-License-Identifier: MIT
"""The bus goes: by unbinding the driver, or because the host rescinds the channel."""

from __future__ import annotations

from errno import ETIMEDOUT

from guest.events import BusStateChanged, ChildRemoved, D0Left, DriverRemoved, MessageIgnored
from guest.vmbus.driver_core import unbind_device
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
from tests.guest.pci_hyperv.story import Story


def unbind(story: Story) -> None:
    """A write to the driver's ``unbind`` in sysfs."""
    story.thread(unbind_device(story.hdev))


def test_unbinding_leaves_d0_and_says_nothing_of_resources() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    unbind(story)
    assert story.host.names[before:] == ["BUS_D0EXIT"]  # open item O23
    assert [event.why for event in story.of(ChildRemoved)] == ["bus-exit"]
    assert len(story.of(DriverRemoved)) == 1


def test_unbinding_gives_everything_back() -> None:
    story = Story().arrive()
    unbind(story)
    assert story.leaks() == {}
    assert story.vmbus.mmio.taken == 0
    assert story.ring_blocks == 0
    assert story.pci.slot_names == {}
    assert story.pci.buses == {}


def test_an_unanswered_d0_exit_is_given_up_after_ten_seconds() -> None:
    story = Story().arrive()
    story.host.silent.add(MessageType.PCI_BUS_D0EXIT)
    before_ns = story.engine.now_ns()
    unbind(story)
    assert story.of(D0Left)[-1].errno == -ETIMEDOUT
    assert story.engine.now_ns() - before_ns >= 10 * 10**9
    assert story.leaks() == {}


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
