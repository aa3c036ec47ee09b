# SPDX-License-Identifier: MIT
"""A channel that was closed: what is still used of it is caught where Linux would oops."""

from __future__ import annotations

from errno import ENOMEM

import pytest

from guest.kernel.faults import NullDereference, UseAfterFree
from guest.vmbus.channel import HvDevice
from guest.vmbus.open import vmbus_free_ring
from guest.vmbus.packets import vmbus_request_addr_match
from protocol.ids import VpIndex
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play


def test_an_event_for_a_callback_that_was_not_reset_finds_no_ring() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await vmbus_free_ring(hdev.channel)
        host.vmbus.synic_event(VpIndex(0), 5)
        return 0

    with pytest.raises(NullDereference, match="inbound ring"):
        play(host, story)


def test_a_callback_that_survives_its_ring_finds_none_when_it_allows_interrupts_again() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        hdev.channel.callback_event.schedule()
        await vmbus_free_ring(hdev.channel)
        return 0

    with pytest.raises(NullDereference, match="inbound ring"):
        play(host, story)


def test_a_request_looked_up_after_close_is_a_use_after_free() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await hdev.vmbus.vmbus_close(hdev.channel)
        assert await vmbus_request_addr_match(hdev.channel, 0, None) is None
        assert await vmbus_request_addr_match(hdev.channel, 65, None) is None
        await vmbus_request_addr_match(hdev.channel, 1, None)
        return 0

    with pytest.raises(UseAfterFree, match="Requestor"):
        play(host, story)


def test_a_channel_opens_again_with_ids_of_its_own() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        for _ in range(2):
            assert await open_channel(hdev) == 0
            assert await vmbus_request_addr_match(hdev.channel, 1, None) is None
            await hdev.vmbus.vmbus_close(hdev.channel)
        return 0

    play(host, story)
    assert "Requestor" not in host.kernel.heap.census()


def test_a_channel_without_memory_for_its_ids_does_not_open() -> None:
    host = ScriptedHost()
    host.kernel.fail_allocation = lambda name: name == "Requestor"
    blocks = host.kernel.memory.blocks
    errors: list[int] = []

    async def story(hdev: HvDevice) -> int:
        errors.append(await open_channel(hdev))
        return errors[-1]

    play(host, story)
    assert errors == [-ENOMEM]
    assert host.kernel.memory.blocks == blocks


def test_a_ring_whose_closing_failed_is_kept_and_lost_with_the_next_opening() -> None:
    host = ScriptedHost()
    blocks = host.kernel.memory.blocks

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        host.kernel.fail_allocation = lambda name: name == "ChannelMessageInfo"
        await hdev.vmbus.vmbus_close(hdev.channel)
        host.kernel.fail_allocation = None
        assert host.kernel.memory.blocks == blocks + 1
        assert await open_channel(hdev) == 0
        await hdev.vmbus.vmbus_close(hdev.channel)
        return 0

    play(host, story)
    assert host.kernel.memory.blocks == blocks + 1  # open item O35
    assert host.kernel.heap.census()["Requestor"] == 1
