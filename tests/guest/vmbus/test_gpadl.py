# SPDX-License-Identifier: MIT
"""The pages of a ring told to the host, and whose answers are taken for whose questions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guest.vmbus.channel import HvDevice
from guest.vmbus.packets import vmbus_sendpacket
from protocol.codec import WireRecord
from protocol.vmbus import (
    VM_PKT_DATA_INBAND,
    ChannelMessageType,
    VmbusChannelGpadlBody,
    VmbusChannelGpadlCreated,
    VmbusChannelGpadlHeader,
    VmbusChannelGpadlTorndown,
    VmbusChannelOpenResult,
)
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import RING_BYTES, nothing, open_channel, play, still_waiting

C = ChannelMessageType


@pytest.mark.wire_note("1.4a", "1.4b")
def test_a_long_list_of_pages_goes_on_in_bodies_that_have_no_numbers() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        ring_bytes = 40 * 4096
        return await hdev.vmbus.vmbus_open(hdev.channel, ring_bytes, ring_bytes, b"", nothing, hdev)

    play(host, story)
    (channel,) = host.vmbus.channels.values()
    header, *bodies = [
        post
        for post in host.posts
        if isinstance(post, (VmbusChannelGpadlHeader, VmbusChannelGpadlBody))
    ]
    assert isinstance(header, VmbusChannelGpadlHeader)
    assert (header.rangecount, header.range_buflen) == (1, 8 + 8 * 80)
    pages = list(header.range[0].pfn_array)
    assert len(pages) == 26
    for body, count in zip(bodies, (28, 26), strict=True):
        assert isinstance(body, VmbusChannelGpadlBody)
        assert (len(body.pfn), body.gpadl, body.msgnumber) == (count, header.gpadl, 0)
        pages += body.pfn
    first = channel.ring_gpa // 4096
    assert pages == list(range(first, first + 80))


@pytest.mark.wire_note("1.4d")
def test_the_guest_writes_into_the_first_half_of_the_pages_and_reads_from_the_second() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        assert await vmbus_sendpacket(hdev.channel, b"x", None, VM_PKT_DATA_INBAND, 0) == 0
        ring_gpa = hdev.channel.ring_gpa
        write_indices = [
            int.from_bytes(host.kernel.memory.window(ring_gpa + at, 4), "little")
            for at in (0, RING_BYTES)
        ]
        assert write_indices == [32, 0]
        return 0

    play(host, story)


@pytest.mark.wire_note("1.4f")
def test_handles_count_up_and_are_not_used_again() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        for _ in range(3):
            assert await open_channel(hdev) == 0
            await hdev.vmbus.vmbus_close(hdev.channel)
        return 0

    play(host, story)
    handles = [post.gpadl for post in host.posts if isinstance(post, VmbusChannelGpadlHeader)]
    assert handles == [0xE1E10, 0xE1E11, 0xE1E12]


WRONG: dict[str, tuple[ChannelMessageType, Callable[[], WireRecord]]] = {
    "created for another relid": (
        C.CHANNELMSG_GPADL_HEADER,
        lambda: VmbusChannelGpadlCreated(child_relid=6, gpadl=0xE1E10),
    ),
    "created under another handle": (
        C.CHANNELMSG_GPADL_HEADER,
        lambda: VmbusChannelGpadlCreated(child_relid=5, gpadl=0xE1E11),
    ),
    "opened for another relid": (
        C.CHANNELMSG_OPENCHANNEL,
        lambda: VmbusChannelOpenResult(child_relid=6, openid=5),
    ),
    "opened under another id": (
        C.CHANNELMSG_OPENCHANNEL,
        lambda: VmbusChannelOpenResult(child_relid=5, openid=6),
    ),
    "torn down under another handle": (
        C.CHANNELMSG_GPADL_TEARDOWN,
        lambda: VmbusChannelGpadlTorndown(gpadl=0xE1E11),
    ),
}


@pytest.mark.wire_note("1.4h", "1.4i")
@pytest.mark.parametrize(("asked", "answer"), WRONG.values(), ids=WRONG)
def test_an_answer_to_somebody_else_wakes_nobody(
    asked: ChannelMessageType, answer: Callable[[], WireRecord]
) -> None:
    host = ScriptedHost()
    host.answers[asked] = lambda _: answer()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await hdev.vmbus.vmbus_close(hdev.channel)
        return 0

    play(host, story)
    assert still_waiting(host) == [(asked.name, None)]
