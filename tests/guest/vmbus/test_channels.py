# SPDX-License-Identifier: MIT
"""The guest's VMBus against a host of scripted answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from errno import EAGAIN, EDQUOT, EINVAL, ENOBUFS, ENODEV
from uuid import UUID

import pytest

from guest.kernel import ops
from guest.kernel.faults import NullDereference
from guest.kernel.leaks import unreachable
from guest.vmbus.channel import HvDevice, Requestor
from guest.vmbus.open import vmbus_alloc_ring, vmbus_free_ring
from guest.vmbus.packets import (
    vmbus_sendpacket,
)
from protocol.hypercall import (
    HV_STATUS_INSUFFICIENT_BUFFERS,
)
from protocol.ids import VpIndex
from protocol.vmbus import (
    VM_PKT_DATA_INBAND,
    ChannelMessageType,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlHeader,
    VmbusChannelOpenResult,
    VmbusChannelRescindOffer,
)
from tests.guest.vmbus.scripted_host import INTERFACE, ScriptedHost

RING_BYTES = 5 * 4096


class ProbingDriver:
    """A driver whose probe is the test's own story."""

    name = "story"
    interface: UUID = INTERFACE

    def __init__(self, story: Callable[[HvDevice], Awaitable[int]]) -> None:
        self._story = story
        self.probed = 0
        self.removed = 0

    async def probe(self, hdev: HvDevice) -> int:
        self.probed += 1
        return await self._story(hdev)

    async def remove(self, hdev: HvDevice) -> None:
        self.removed += 1
        await hdev.vmbus.vmbus_close(hdev.channel)

    async def suspend(self, hdev: HvDevice) -> int:
        await hdev.vmbus.vmbus_close(hdev.channel)
        return 0

    async def resume(self, hdev: HvDevice) -> int:
        return await open_channel(hdev)


async def nothing(_: object) -> None:
    """A channel callback that reads nothing."""


async def open_channel(hdev: HvDevice) -> int:
    hdev.channel.requestor_size = 64
    return await hdev.vmbus.vmbus_open(hdev.channel, RING_BYTES, RING_BYTES, b"", nothing, hdev)


def play(host: ScriptedHost, story: Callable[[HvDevice], Awaitable[int]]) -> ProbingDriver:
    """Connect, offer one device and let ``story`` be its probe; then run to the end."""
    driver = ProbingDriver(story)
    host.kernel.spawn_thread("register", host.vmbus.register_driver(driver))
    host.connect()
    host.offer(delay_ns=1_000_000)
    host.engine.run()
    return driver


@pytest.mark.wire_note("8.5a", "8.5b")
def test_posting_is_tried_a_hundred_times_with_a_delay_that_doubles_to_two_seconds() -> None:
    host = ScriptedHost()
    host.status = HV_STATUS_INSUFFICIENT_BUFFERS
    errors: list[int] = []

    async def request() -> None:
        errors.append(await host.vmbus.request_offers())

    host.kernel.spawn_thread("request", request())
    host.engine.run()
    assert errors == [-ENOBUFS]
    busy_us = sum(1 << n for n in range(10))
    asleep_ms = sum((1 << n) // 1000 for n in range(10, 21)) + 79 * ((1 << 21) // 1000)
    assert host.kernel.now_ns() == (busy_us + 1000 * asleep_ms) * 1000


@pytest.mark.wire_note("1.4a", "1.4c", "1.4e", "1.4g")
def test_opening_posts_one_gpadl_header_and_an_open_as_the_wire_notes_say() -> None:
    host = ScriptedHost()
    play(host, open_channel)
    assert host.heard[-2:] == ["GPADL_HEADER", "OPENCHANNEL"]
    header, opened = host.posts[-2:]
    assert (header.range_buflen, header.range[0].byte_count, header.gpadl) == (88, 40960, 0xE1E10)
    assert len(header.build()) == 108
    assert (opened.openid, opened.downstream_ringbuffer_pageoffset, opened.target_vp) == (5, 5, 0)


def test_a_refused_gpadl_or_open_unwinds_and_leaves_nothing() -> None:
    for kind, answer, error in (
        (
            ChannelMessageType.CHANNELMSG_GPADL_HEADER,
            lambda m: VmbusChannelGpadlCreated(
                child_relid=m.child_relid, gpadl=m.gpadl, creation_status=1
            ),
            -EDQUOT,
        ),
        (
            ChannelMessageType.CHANNELMSG_OPENCHANNEL,
            lambda m: VmbusChannelOpenResult(child_relid=5, openid=m.openid, status=1),
            -EAGAIN,
        ),
    ):
        host = ScriptedHost()
        host.answers[kind] = answer
        errors: list[int] = []

        async def story(hdev: HvDevice, errors: list[int] = errors) -> int:
            errors.append(await open_channel(hdev))
            return errors[-1]

        blocks = host.kernel.memory.blocks
        play(host, story)
        assert errors == [error]
        assert host.kernel.memory.blocks == blocks
        assert unreachable(host.kernel.heap, [host.vmbus]) == {}


def test_a_channel_opens_only_once() -> None:
    host = ScriptedHost()
    errors: list[int] = []

    async def story(hdev: HvDevice) -> int:
        errors.append(await open_channel(hdev))
        errors.append(await open_channel(hdev))
        return 0

    play(host, story)
    assert errors == [0, -EINVAL]


@pytest.mark.wire_note("1.6a")
def test_closing_tears_the_gpadl_down_and_frees_the_pages() -> None:
    host = ScriptedHost()
    blocks = host.kernel.memory.blocks

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await hdev.vmbus.vmbus_close(hdev.channel)
        with pytest.raises(NullDereference):
            await vmbus_sendpacket(hdev.channel, b"x", None, VM_PKT_DATA_INBAND, 0)
        return 0

    play(host, story)
    assert host.heard[-2:] == ["CLOSECHANNEL", "GPADL_TEARDOWN"]
    assert host.kernel.memory.blocks == blocks


def test_others_may_run_where_the_ring_pages_come_and_go() -> None:
    host = ScriptedHost()
    seen: list[str] = []

    def points(body: Coroutine[str, None, object]) -> list[str]:
        host.kernel.crowded = True
        names = []
        with suppress(StopIteration):
            while True:
                names.append(body.send(None))
        return names

    async def story(hdev: HvDevice) -> int:
        seen.extend(points(vmbus_alloc_ring(hdev.channel, RING_BYTES, RING_BYTES)))
        seen.extend(points(vmbus_free_ring(hdev.channel)))
        return 0

    play(host, story)
    assert seen == ["alloc_pages ring", "free_pages ring"]


@pytest.mark.wire_note("1.7d", "8.6b")
def test_a_rescind_wakes_an_open_that_the_host_never_answers() -> None:
    host = ScriptedHost()
    host.answers[ChannelMessageType.CHANNELMSG_OPENCHANNEL] = lambda _: None
    errors: list[int] = []

    async def story(hdev: HvDevice) -> int:
        host.rescind(delay_ns=50_000_000)
        errors.append(await open_channel(hdev))
        return errors[-1]

    play(host, story)
    assert errors == [-ENODEV]
    assert host.heard[-1] == "RELID_RELEASED"
    assert host.kernel.heap.census() == {}


@pytest.mark.wire_note("1.6b", "1.6c")
def test_a_rescind_after_probe_removes_the_device_without_a_teardown() -> None:
    host = ScriptedHost()
    host.rescind(delay_ns=100_000_000)
    driver = play(host, open_channel)
    assert driver.removed == 1
    assert host.heard[-3:] == ["OPENCHANNEL", "CLOSECHANNEL", "RELID_RELEASED"]
    assert host.kernel.heap.census() == {}


def test_a_second_rescind_of_one_channel_does_nothing() -> None:
    host = ScriptedHost()
    host.rescind(delay_ns=100_000_000)
    host.rescind(delay_ns=100_000_001)
    assert play(host, open_channel).removed == 1


def test_two_handlers_of_one_rescind_unregister_the_device_once() -> None:
    host = ScriptedHost()
    driver = play(host, open_channel)
    close = driver.remove

    async def slow_remove(hdev: HvDevice) -> None:
        await ops.msleep(host.kernel, 5)
        await close(hdev)

    vars(driver)["remove"] = slow_remove
    message = VmbusChannelRescindOffer(child_relid=5)
    for cpu in (0, 1):
        host.kernel.spawn_thread(f"rescind {cpu}", host.vmbus.vmbus_onoffer_rescind(message), cpu)
    host.engine.run()
    assert driver.removed == 1
    assert host.kernel.heap.census() == {}


def test_a_failed_probe_leaves_the_device_on_the_bus_without_a_driver() -> None:
    host = ScriptedHost()

    async def story(_: HvDevice) -> int:
        return -ENODEV

    play(host, story)
    (channel,) = host.vmbus.channels.values()
    assert channel.device_obj is not None
    assert channel.device_obj.driver is None


@pytest.mark.wire_note("6.1c", "9.2d")
def test_opening_a_channel_initialises_both_of_its_rings() -> None:
    host = ScriptedHost()
    memory = host.kernel.memory
    header = bytes(64) + b"\x01" + bytes(4096 - 65)

    def soil(message: VmbusChannelGpadlHeader) -> VmbusChannelGpadlCreated:
        ring = memory.window(message.range[0].pfn_array[0] * 4096, 2 * RING_BYTES)
        ring[:] = b"\xff" * len(ring)
        return VmbusChannelGpadlCreated(child_relid=message.child_relid, gpadl=message.gpadl)

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        for at in (0, RING_BYTES):
            assert memory.window(hdev.channel.ring_gpa + at, 4096) == header
        return 0

    host.answers[ChannelMessageType.CHANNELMSG_GPADL_HEADER] = soil
    play(host, story)


@pytest.mark.wire_note("5.1b", "5.1c", "5.2a")
def test_a_sixty_fifth_request_is_again_and_ids_are_last_in_first_out() -> None:
    requestor = Requestor(64)
    requests = [object() for _ in range(64)]
    assert [requestor.next_id(request) for request in requests] == list(range(1, 65))
    assert requestor.next_id(object()) == (1 << 64) - 2
    assert requestor.match(7, None) is requests[6]
    assert requestor.match(9, None) is requests[8]
    assert requestor.match(9, None) is None
    assert requestor.match(0, None) is None
    assert requestor.match(99, None) is None
    again = object()
    assert requestor.next_id(again) == 9
    assert requestor.match(9, requests[8]) is again, "somebody else's request stays"
    assert requestor.in_use == 63


@pytest.mark.wire_note("1.5b", "1.5c")
def test_messages_that_are_short_or_unknown_are_dropped_with_a_warning() -> None:
    host = ScriptedHost()
    host.connect()
    for payload in (b"\x01\0\0\0\0\0\0\0", b"\x63\0\0\0\0\0\0\0", b"\x06\0\0\0\0\0\0\0"):
        header = (1).to_bytes(4, "little") + bytes([len(payload)]) + bytes(11)
        host.vmbus.synic_message(VpIndex(0), header + payload)
    host.engine.run()
    assert [text for _, level, text in host.kernel.log_lines if level == "warn"] == [
        "message too short: msgtype=1 len=8",
        "unknown msgtype=99",
        "message too short: msgtype=6 len=8",
    ]


def test_an_offer_without_memory_for_its_channel_gives_the_relid_back() -> None:
    host = ScriptedHost()
    host.kernel.fail_allocation = lambda name: name == "VmbusChannel"
    play(host, open_channel)
    assert host.heard[-1] == "RELID_RELEASED"
    assert host.vmbus.channels == {}


UNLIMITED = ("INITIATE_CONTACT", "GPADL_HEADER", "OPENCHANNEL")


def still_waiting(host: ScriptedHost) -> list[tuple[str, object]]:
    """What each context waits for that has not ended, and the deadline it has, if any."""
    return [(repr(context.waiting_for), context.timer) for context in host.engine.waiting()]


@pytest.mark.wire_note("8.6a")
@pytest.mark.parametrize("name", UNLIMITED)
def test_who_asks_for_contact_ring_or_channel_waits_without_a_limit(name: str) -> None:
    host = ScriptedHost()
    host.answers[ChannelMessageType[f"CHANNELMSG_{name}"]] = lambda _: None
    play(host, open_channel)
    assert still_waiting(host) == [(f"CHANNELMSG_{name}", None)]


@pytest.mark.wire_note("8.7a")
def test_unload_waits_for_its_answer_without_a_limit() -> None:
    host = ScriptedHost()
    host.answers[ChannelMessageType.CHANNELMSG_UNLOAD] = lambda _: None
    host.connect()
    host.engine.run()
    host.kernel.spawn_thread("unload", host.vmbus.initiate_unload())
    host.engine.run()
    assert still_waiting(host) == [("unload_event", None)]


def test_unload_waits_for_its_answer() -> None:
    host = ScriptedHost()

    async def unload() -> None:
        await host.vmbus.connect()
        await host.vmbus.initiate_unload()

    host.kernel.spawn_thread("unload", unload())
    host.engine.run()
    assert host.engine.waiting() == []
    assert host.heard == ["INITIATE_CONTACT", "UNLOAD"]
