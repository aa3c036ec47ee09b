# SPDX-License-Identifier: MIT
"""Probe fails at each of its steps, and undoes what it had done."""

from __future__ import annotations

from errno import ENODEV, ENOMEM, EPROTO
from functools import partial

import pytest

from guest.events import ChildRemoved, PacketDropped, RequestCompleted, VersionNegotiated
from guest.kernel.ops import NS_PER_MS
from guest.vmbus.channel import Requestor
from host.devices.nvme_ssd import NVME_SSD
from host.function import Function
from protocol.status import STATUS_INVALID_DEVICE_STATE, STATUS_UNSUCCESSFUL
from protocol.vmbus import VM_PKT_COMP, ChannelMessageType
from protocol.vpci import MessageType, PciChildMessage, PciQResReqResponse, PciResponse
from tests.guest.pci_hyperv.story import Story

ALLOCATIONS = (
    ("HvPciBus", -ENOMEM),
    ("WorkQueue", -ENOMEM),
    ("PciPacket", -ENOMEM),
    ("FwNode", -ENOMEM),
    ("IrqDomain", -ENODEV),
)


def nothing_left(story: Story, lost_children: int) -> None:
    """No bus, no address space, no domain number; only the children that Linux forgets."""
    expected = {"HvPciDev": lost_children} if lost_children else {}
    assert story.leaks() == expected
    assert story.vmbus.mmio.taken == 0
    assert story.ring_blocks == 0
    assert story.driver.domains.hv_get_dom_num(0x0405) == 0x0405
    assert not [obj for obj in story.kernel.heap.objects() if type(obj).__name__ == "HvPciBus"]


@pytest.mark.parametrize(("what", "errno"), ALLOCATIONS)
def test_an_allocation_that_fails_is_undone(what: str, errno: int) -> None:
    story = Story()
    story.kernel.fail_allocation = what.__eq__
    story.arrive()
    assert story.returned("hv_pci_probe") == [errno]
    nothing_left(story, 0)


@pytest.mark.wire_note("3.3c")
def test_a_version_status_other_than_mismatch_ends_negotiation() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_QUERY_PROTOCOL_VERSION] = [STATUS_UNSUCCESSFUL]
    story.arrive()
    assert story.host.names == ["QUERY_PROTOCOL_VERSION"]
    assert story.returned("hv_pci_protocol_negotiation") == [-EPROTO]
    assert story.returned("hv_pci_probe") == [-EPROTO]
    nothing_left(story, 0)


def test_no_common_version_is_a_protocol_error() -> None:
    story = Story(version=0x10005)
    story.arrive()
    assert story.host.names == ["QUERY_PROTOCOL_VERSION"] * 4
    assert story.returned("hv_pci_probe") == [-EPROTO]
    nothing_left(story, 0)


@pytest.mark.wire_note("3.3a")
@pytest.mark.parametrize("status", [0, 1, 0x7FFF_FFFF])
def test_a_version_is_accepted_by_any_status_that_is_not_negative(status: int) -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_QUERY_PROTOCOL_VERSION] = [status]
    story.arrive()
    assert story.host.names.count("QUERY_PROTOCOL_VERSION") == 1
    assert story.of(VersionNegotiated)[0].version == "1.4"


@pytest.mark.wire_note("3.3d")
@pytest.mark.parametrize("rest", [b"", b"\x01\0\x01\0", b"\xff" * 12])
def test_whatever_follows_the_status_of_a_version_is_not_looked_at(rest: bytes) -> None:
    story = Story()
    story.host.answers[MessageType.PCI_QUERY_PROTOCOL_VERSION] = lambda _: bytes(4) + rest
    story.arrive()
    assert story.of(VersionNegotiated)[0].version == "1.4"
    assert story.returned("hv_pci_probe") == [0]


@pytest.mark.wire_note("3.5a", "3.5d")
@pytest.mark.parametrize("status", [STATUS_INVALID_DEVICE_STATE, STATUS_UNSUCCESSFUL, -1])
def test_a_refused_d0_entry_is_tried_again_after_releasing_everything(status: int) -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [status]
    story.arrive()
    assert story.host.names[3:] == [
        "BUS_D0ENTRY",
        "RESOURCES_RELEASED",
        "BUS_D0EXIT",
        "BUS_D0ENTRY",
        "RESOURCES_ASSIGNED2",
    ]
    assert story.returned("hv_pci_probe") == [0]


def released(story: Story) -> list[int]:
    """The slots of RESOURCES_RELEASED, in order."""
    return [
        PciChildMessage.parse(payload).wslot
        for name, payload in zip(story.host.names, story.host.received, strict=True)
        if name == "RESOURCES_RELEASED"
    ]


def with_slots(*wslots: int) -> Story:
    """A story whose bus has a function in each of these slots."""
    story = Story(profiles=())
    for wslot in wslots:
        story.host.functions[wslot] = Function(NVME_SSD)
    return story


@pytest.mark.wire_note("3.5b", "4.7c")
def test_before_the_retry_every_function_is_released_from_slot_255_down() -> None:
    story = with_slots(0x00, 0x41, 0xFF, 0x1F)
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_INVALID_DEVICE_STATE]
    story.arrive()
    assert released(story) == [0xFF, 0x41, 0x1F, 0x00]
    assert story.of(ChildRemoved) == []


@pytest.mark.wire_note("3.5c")
def test_a_retry_whose_d0_exit_is_not_answered_is_given_up_after_ten_seconds() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_INVALID_DEVICE_STATE]
    story.host.silent.add(MessageType.PCI_BUS_D0EXIT)
    story.arrive()
    assert story.host.names.count("BUS_D0ENTRY") == 1
    assert story.returned("hv_pci_probe") == [-EPROTO]
    assert 10_000 <= story.engine.now_ns() / NS_PER_MS < 10_100


@pytest.mark.wire_note("3.6b")
def test_what_was_assigned_before_a_refusal_is_released_on_the_way_out() -> None:
    story = with_slots(0x00, 0x01, 0x02)
    statuses = [0, 0, STATUS_UNSUCCESSFUL]
    story.host.statuses[MessageType.PCI_RESOURCES_ASSIGNED2] = statuses
    story.arrive()
    assert story.returned("hv_pci_probe") == [-EPROTO]
    assert released(story) == [0x01, 0x00]
    assert story.host.names[-1] == "BUS_D0EXIT"


@pytest.mark.wire_note("3.5e")
def test_a_d0_entry_refused_twice_ends_probe_without_leaving_d0() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_UNSUCCESSFUL] * 2
    story.arrive()
    assert story.host.names[-1] == "BUS_D0ENTRY"
    assert story.returned("hv_pci_enter_d0") == [-EPROTO]
    assert story.returned("hv_pci_probe") == [-EPROTO]
    nothing_left(story, 1)


@pytest.mark.wire_note("3.6a")
def test_refused_resources_are_unwound_through_the_exit_path() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_RESOURCES_ASSIGNED2] = [STATUS_UNSUCCESSFUL]
    story.arrive()
    assert story.host.names[-2:] == ["RESOURCES_ASSIGNED2", "BUS_D0EXIT"]
    assert story.returned("hv_send_resources_allocated") == [-EPROTO]
    assert story.host.posted[-2:] == [
        ChannelMessageType.CHANNELMSG_CLOSECHANNEL,
        ChannelMessageType.CHANNELMSG_GPADL_TEARDOWN,
    ]
    nothing_left(story, 1)


def test_too_little_address_space_releases_what_was_assigned() -> None:
    story = Story()
    for held in story.vmbus.mmio.ranges[1:]:
        held.end = held.start  # nothing above 4 GiB
    story.arrive()
    assert story.host.names[-1] == "BUS_D0EXIT"
    assert len(story.returned("hv_pci_probe")) == 1
    assert story.returned("hv_pci_probe")[0] < 0
    nothing_left(story, 1)


@pytest.mark.wire_note("3.4b", "3.4c")
def test_a_failed_resource_query_still_makes_a_child_without_bars() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS] = [STATUS_UNSUCCESSFUL]
    story.arrive()
    assert story.returned("hv_pci_probe") == [0]
    (hpdev,) = story.hbus.children
    assert hpdev.probed_bar == [0] * 6


@pytest.mark.wire_note("3.4a", "3.4b", "3.4c")
@pytest.mark.parametrize(("payload_bytes", "taken"), [(24, False), (28, True)])
def test_an_answer_to_the_resource_query_of_less_than_44_bytes_is_a_failure(
    payload_bytes: int, taken: bool
) -> None:
    story = Story()
    whole = PciQResReqResponse(0, story.host.functions[0].probed_bars()).build()
    kind = MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS
    story.host.answers[kind] = lambda _: whole[:payload_bytes]
    story.arrive()
    (hpdev,) = story.hbus.children
    assert any(hpdev.probed_bar) is taken
    logged = [text for _, _, text in story.kernel.log_lines if "resource requirements" in text]
    assert bool(logged) is not taken


@pytest.mark.wire_note("3.4d")
def test_the_bars_of_a_function_are_those_the_host_told_word_by_word() -> None:
    story = Story().arrive()
    (hpdev,) = story.hbus.children
    # 16 KiB in two words: what the low one reads back after all ones, with its flags, comes first.
    assert hpdev.probed_bar == [0xFFFF_C004, 0xFFFF_FFFF, 0, 0, 0, 0]


def waiting_for_a_version(story: Story) -> Requestor:
    """The ids of a channel whose probe waits for its first answer."""
    requestor = story.hdev.channel.requestor
    assert requestor is not None
    assert requestor.in_use == 1
    assert story.returned("hv_pci_probe") == []
    return requestor


@pytest.mark.wire_note("3.1a", "3.1b", "3.1c", "3.1d")
def test_an_answer_that_is_only_a_descriptor_is_skipped_and_one_with_a_status_counts() -> None:
    story = Story()
    story.host.silent.add(MessageType.PCI_QUERY_PROTOCOL_VERSION)
    story.host.offer()

    def answer(transaction_id: int, payload: bytes) -> None:
        waiting_for_a_version(story)
        story.host.send(payload, trans_id=transaction_id, kind=VM_PKT_COMP)

    status = PciResponse(0).build()
    for at_ms, transaction_id, payload in ((200, 1, b""), (400, 9999, b""), (600, 1, status)):
        action = partial(answer, transaction_id, payload)
        story.engine.later((at_ms * NS_PER_MS,) * 2, "answer", action)
    story.run()
    assert story.of(PacketDropped) == []
    assert story.of(RequestCompleted)[0].packet_bytes == 24
    assert story.returned("hv_pci_probe") == [0]


@pytest.mark.wire_note("8.1a", "8.1b")
def test_whoever_waits_for_an_answer_waits_on_until_a_rescind_and_sees_that_in_100_ms() -> None:
    story = Story()
    story.host.silent.add(MessageType.PCI_QUERY_PROTOCOL_VERSION)
    story.host.offer()
    at_ns: dict[str, int] = {}

    def note(event: object) -> None:
        story.events.append(event)
        at_ns[type(event).__name__] = story.engine.now_ns()

    def rescind() -> None:
        waiting_for_a_version(story)
        story.host.rescind()

    story.kernel.emit = note
    story.engine.later((150_050 * NS_PER_MS,) * 2, "rescind", rescind)
    story.run()
    assert story.returned("hv_pci_probe") == [-ENODEV]
    asked_ns, raised_ns = at_ns["PacketPublished"], at_ns["RescindFlagRaised"]
    noticed_ns = at_ns["FunctionReturned"]
    assert raised_ns > 150_000 * NS_PER_MS
    assert 0 < noticed_ns - raised_ns < 100 * NS_PER_MS
    assert (noticed_ns - asked_ns) % (100 * NS_PER_MS) == 0


def test_a_silent_host_keeps_probe_waiting_and_a_rescind_ends_it() -> None:
    story = Story()
    story.host.silent.add(MessageType.PCI_QUERY_PROTOCOL_VERSION)
    story.host.offer()
    story.engine.later((950 * NS_PER_MS, 950 * NS_PER_MS), "rescind", story.host.rescind)
    story.run()
    assert story.returned("hv_pci_probe") == [-ENODEV]
    assert story.vmbus.channels == {}
    assert story.leaks() == {}
