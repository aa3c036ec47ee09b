# SPDX-License-Identifier: MIT
"""Probe fails at each of its steps, and undoes what it had done."""

from __future__ import annotations

from errno import ENODEV, ENOMEM, EPROTO

import pytest

from guest.kernel.ops import NS_PER_MS
from protocol.status import STATUS_INVALID_DEVICE_STATE, STATUS_UNSUCCESSFUL
from protocol.vmbus import ChannelMessageType
from protocol.vpci import MessageType
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


def test_a_refused_d0_entry_is_tried_again_after_releasing_everything() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_INVALID_DEVICE_STATE]
    story.arrive()
    assert story.host.names[3:] == [
        "BUS_D0ENTRY",
        "RESOURCES_RELEASED",
        "BUS_D0EXIT",
        "BUS_D0ENTRY",
        "RESOURCES_ASSIGNED2",
    ]
    assert story.returned("hv_pci_probe") == [0]


def test_a_d0_entry_refused_twice_ends_probe_without_leaving_d0() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_UNSUCCESSFUL] * 2
    story.arrive()
    assert story.host.names[-1] == "BUS_D0ENTRY"
    assert story.returned("hv_pci_enter_d0") == [-EPROTO]
    assert story.returned("hv_pci_probe") == [-EPROTO]
    nothing_left(story, 1)


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


def test_a_failed_resource_query_still_makes_a_child_without_bars() -> None:
    story = Story()
    story.host.statuses[MessageType.PCI_QUERY_RESOURCE_REQUIREMENTS] = [STATUS_UNSUCCESSFUL]
    story.arrive()
    assert story.returned("hv_pci_probe") == [0]
    (hpdev,) = story.hbus.children
    assert hpdev.probed_bar == [0] * 6


def test_a_silent_host_keeps_probe_waiting_and_a_rescind_ends_it() -> None:
    story = Story()
    story.host.silent.add(MessageType.PCI_QUERY_PROTOCOL_VERSION)
    story.host.offer()
    story.engine.later((950 * NS_PER_MS, 950 * NS_PER_MS), "rescind", story.host.rescind)
    story.run()
    assert story.returned("hv_pci_probe") == [-ENODEV]
    assert story.vmbus.channels == {}
    assert story.leaks() == {}
