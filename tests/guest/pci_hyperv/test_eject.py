# SPDX-License-Identifier: MIT
"""The host asks for a function back."""

from __future__ import annotations

import pytest

from guest.events import ChildFreed, ChildRemoved, EjectCompleted, EjectQueued, PacketDropped
from host.devices.nvme_ssd import NVME_SSD
from protocol.link import PacketPublished
from protocol.vpci import MessageType, PciEjectResponse
from tests.guest.pci_hyperv.story import Story


@pytest.mark.wire_note("4.6b")
def test_an_ejected_function_is_unlinked_before_the_host_hears_of_it() -> None:
    story = Story().arrive()
    story.host.eject()
    story.run()
    order = [
        type(event).__name__
        for event in story.events
        if isinstance(event, (EjectQueued, ChildRemoved, EjectCompleted, ChildFreed))
    ]
    assert order == ["EjectQueued", "ChildRemoved", "EjectCompleted", "ChildFreed"]
    assert PciEjectResponse.parse(story.host.received[-1]) == PciEjectResponse(wslot=0, status=0)
    assert story.devices == []
    assert story.hbus.children.empty()
    assert story.leaks() == {}


@pytest.mark.wire_note("4.6d")
def test_eject_asks_nothing_of_the_host_and_releases_nothing() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    story.host.eject()
    story.run()
    assert story.host.names[before:] == ["EJECTION_COMPLETE"]


@pytest.mark.wire_note("4.6c")
def test_eject_complete_is_12_bytes_with_success_and_wants_no_answer() -> None:
    story = Story().arrive()
    story.host.eject()
    story.run()
    sent = story.of(PacketPublished)[-1]
    assert sent.payload == bytes.fromhex("0f004942 00000000 00000000")
    assert (sent.flags, sent.transaction_id) == (0, 0)


@pytest.mark.wire_note("4.6e")
def test_an_eject_of_an_unknown_slot_is_not_answered() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    story.host.eject(wslot=3)
    story.run()
    assert len(story.host.received) == before


def test_ejects_of_two_functions_are_both_answered() -> None:
    story = Story(profiles=(NVME_SSD, NVME_SSD)).arrive()
    story.host.eject(0)
    story.host.eject(1)
    story.run()
    assert [event.wslot for event in story.of(EjectCompleted)] == [0, 1]
    assert story.leaks() == {}


def test_an_eject_during_probe_waits_for_the_bus() -> None:
    story = Story()

    def eject_and_answer(_: bytes) -> bytes:
        story.host.eject()
        return bytes(8)

    story.host.answers[MessageType.PCI_RESOURCES_ASSIGNED2] = eject_and_answer
    story.arrive()
    assert story.returned("hv_pci_probe") == [0]
    assert story.host.names[-1] == "EJECTION_COMPLETE"
    assert story.devices == []
    assert story.leaks() == {}


def test_a_short_eject_message_is_dropped() -> None:
    story = Story().arrive()
    # Eight bytes are the least a packet holds, so the slot is the padding: nothing is too short.
    story.host.send(bytes.fromhex("0b004942"))
    story.run()
    assert story.of(PacketDropped) == []
    assert len(story.of(EjectCompleted)) == 1
