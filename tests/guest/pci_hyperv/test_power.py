# SPDX-License-Identifier: MIT
"""Hibernation: everything is given back, and taken up again with the same functions."""

from __future__ import annotations

from collections.abc import Callable
from errno import EINVAL, ENOMEM, EPROTO, ETIMEDOUT

import pytest

from guest.events import BusStateChanged, MsiComposed
from guest.kernel import ops
from guest.kernel.work import Tasklet, Work
from guest.pci_hyperv.bus import HvPciBusState
from guest.vmbus.channel import INVALID_RELID
from host.devices.nvme_ssd import NVME_SSD
from protocol.ids import RelId
from protocol.link import PacketPublished
from protocol.pci_regs import PCI_BASE_ADDRESS_0
from protocol.status import STATUS_UNSUCCESSFUL
from protocol.vpci import MessageType, PciVersionRequest, message_name
from tests.guest.pci_hyperv.story import CONFIG_PAGE, Story
from tests.guest.pci_hyperv.test_interrupts import with_vectors


def suspend(story: Story) -> int:
    """hv_driver.suspend, in a thread."""
    results: list[int] = []

    async def body() -> None:
        results.append(await story.driver.hv_pci_suspend(story.hdev))

    story.thread(body())
    return results[0]


def resume(story: Story) -> int:
    """hv_driver.resume, in a thread."""
    results: list[int] = []

    async def body() -> None:
        results.append(await story.driver.hv_pci_resume(story.hdev))

    story.thread(body())
    return results[0]


def test_suspending_releases_resources_and_keeps_the_functions() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    assert suspend(story) == 0
    assert story.host.names[before:] == ["RESOURCES_RELEASED", "BUS_D0EXIT"]
    assert not story.hbus.children.empty()
    assert story.hbus.state is HvPciBusState.REMOVING


@pytest.mark.wire_note("4.7d")
def test_suspending_releases_the_highest_slot_first() -> None:
    story = Story(profiles=(NVME_SSD,) * 3).arrive()
    before = len(story.host.received)
    assert suspend(story) == 0
    assert [payload[4] for payload in story.host.received[before:-1]] == [2, 1, 0]
    assert story.host.names[-1] == "BUS_D0EXIT"


@pytest.mark.wire_note("4.9b")
def test_resuming_writes_the_bars_after_the_resources_and_before_the_interrupts() -> None:
    story, _ = with_vectors()
    assert suspend(story) == 0
    told: list[str] = []
    mmio_write = story.host.mmio_write

    def write(gpa: int, size: int, value: int) -> int:
        if gpa - story.host.window - CONFIG_PAGE == PCI_BASE_ADDRESS_0:
            told.append("BAR")
        return mmio_write(gpa, size, value)

    def note(event: object) -> None:
        if isinstance(event, PacketPublished):
            told.append(message_name(event.payload).removeprefix("PCI_"))

    story.host.mmio_write = write  # type: ignore[method-assign]  # the fake's own method, watched
    story.kernel.emit = note
    assert resume(story) == 0
    deleted = told.index("DELETE_INTERRUPT_MESSAGE")
    assert told[1:deleted] == ["QUERY_BUS_RELATIONS", "BUS_D0ENTRY", "RESOURCES_ASSIGNED2", "BAR"]


@pytest.mark.wire_note("4.9a")
def test_resuming_offers_only_the_version_of_before() -> None:
    story = Story(version=0x10002).arrive()
    assert suspend(story) == 0
    before = len(story.host.received)
    assert resume(story) == 0
    assert story.host.names[before:] == [
        "QUERY_PROTOCOL_VERSION",
        "QUERY_BUS_RELATIONS",
        "BUS_D0ENTRY",
        "RESOURCES_ASSIGNED2",
    ]
    assert PciVersionRequest.parse(story.host.received[before]).protocol_version == 0x10002
    assert [event.state for event in story.of(BusStateChanged)][-2:] == ["init", "installed"]


@pytest.mark.wire_note("4.9c")
def test_resuming_composes_every_interrupt_again() -> None:
    story, _ = with_vectors()
    assert suspend(story) == 0
    before = len(story.host.received)
    assert resume(story) == 0
    names = story.host.names[before:]
    assert names.count("DELETE_INTERRUPT_MESSAGE") == 2
    assert names.count("CREATE_INTERRUPT_MESSAGE3") == 2
    composed = [event.data for event in story.of(MsiComposed)][-2:]
    (dev,) = story.devices
    assert [desc.msg.data for desc in dev.msi_descs.values()] == composed
    assert story.leaks() == {}


def test_suspending_talks_to_the_host_only_when_what_was_queued_is_over() -> None:
    story = Story().arrive()
    before = len(story.host.received)
    seen: list[int] = []

    async def slow(_: Work) -> None:
        await ops.msleep(story.kernel, 5)
        seen.append(len(story.host.received))

    queueing = story.driver.queue_work(story.hbus, Work("slow", slow))
    story.kernel.spawn_thread("story", queueing, 0)
    assert suspend(story) == 0
    assert seen == [before]


def test_a_bus_that_is_not_installed_cannot_be_suspended() -> None:
    story = Story().arrive()
    assert suspend(story) == 0
    assert suspend(story) == -EINVAL


class NoisyTasklet(Tasklet):
    """A tasklet that notes when it is held off, and lets something happen just before that."""

    __slots__ = ("before", "calls")

    def __init__(self, story: Story, before: Callable[[], None]) -> None:
        async def nothing() -> None:
            pass

        super().__init__(story.kernel, "noisy", nothing)
        self.before = before
        self.calls: list[str] = []

    async def disable(self) -> None:
        self.before()
        self.calls.append("disable")
        await super().disable()

    async def enable(self) -> None:
        self.calls.append("enable")
        await super().enable()


def test_suspending_holds_the_callback_off_even_if_the_bus_is_not_installed() -> None:
    story = Story().arrive()
    assert suspend(story) == 0
    tasklet = NoisyTasklet(story, lambda: None)
    story.hdev.channel.callback_event = tasklet
    assert suspend(story) == -EINVAL
    assert tasklet.calls == ["disable", "enable"]


def test_the_state_a_suspension_judges_by_is_read_while_the_callback_is_held_off() -> None:
    story = Story().arrive()

    def somebody_else() -> None:
        story.hbus.state = HvPciBusState.REMOVING

    story.hdev.channel.callback_event = NoisyTasklet(story, somebody_else)
    before = len(story.host.received)
    assert suspend(story) == -EINVAL
    assert story.host.names[before:] == []


def test_a_failed_resume_leaves_the_state_init() -> None:
    story = Story().arrive()
    assert suspend(story) == 0
    story.host.statuses[MessageType.PCI_BUS_D0ENTRY] = [STATUS_UNSUCCESSFUL] * 2
    assert resume(story) == -EPROTO
    assert story.hbus.state is HvPciBusState.INIT  # open item O8


STEPS = {
    MessageType.PCI_QUERY_PROTOCOL_VERSION: -EPROTO,
    MessageType.PCI_RESOURCES_ASSIGNED2: -EPROTO,
}


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_resume_that_fails_at_any_step_closes_the_channel_and_says_why(step: MessageType) -> None:
    story = Story().arrive()
    assert suspend(story) == 0
    story.host.statuses[step] = [STATUS_UNSUCCESSFUL]
    assert resume(story) == STEPS[step]
    assert story.hbus.state is HvPciBusState.INIT
    assert story.hdev.channel.outbound is None
    assert not story.hbus.state_lock.locked
    assert story.returned("hv_pci_resume") == [STEPS[step]]


def test_a_channel_that_cannot_be_opened_again_is_not_closed() -> None:
    story = Story().arrive()
    assert suspend(story) == 0
    posted = len(story.host.posted)
    story.kernel.fail_allocation = lambda name: name == "ring"
    assert resume(story) == -ENOMEM
    assert story.host.posted[posted:] == []


def test_a_suspension_that_times_out_leaves_the_state_removing_and_the_channel_open() -> None:
    story = Story().arrive()
    story.host.silent.add(MessageType.PCI_BUS_D0EXIT)
    assert suspend(story) == -ETIMEDOUT
    assert story.hbus.state is HvPciBusState.REMOVING  # open item O8
    assert story.hdev.channel.outbound is not None


def test_events_name_a_bus_that_came_back_by_its_new_channel_number() -> None:
    story = Story().arrive()
    hbus, channel = story.hbus, story.hdev.channel
    assert suspend(story) == 0
    channel.relid = RelId(9)
    story.driver.name_by_channel(hbus)
    assert hbus.relid == 9
    assert [child.relid for child in hbus.children] == [9]


def test_a_bus_that_was_not_offered_again_keeps_its_number_in_events() -> None:
    story = Story().arrive()
    hbus, channel = story.hbus, story.hdev.channel
    before = hbus.relid
    channel.relid = INVALID_RELID
    story.driver.name_by_channel(hbus)
    assert hbus.relid == before
