# SPDX-License-Identifier: MIT
"""Which CPUs VMBus lets go, and what becomes of what is sent to one that went."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from errno import EBUSY

import pytest

from guest.vmbus.channel import HvDevice
from guest.vmbus.interrupts import VmbusInterrupts
from guest.vmbus.target_cpu import target_cpu_store
from protocol.ids import CpuId, VpIndex
from protocol.vmbus import ChannelMessageType, VmbusChannelModifychannelResponse
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play

MODIFY = ChannelMessageType.CHANNELMSG_MODIFYCHANNEL
Story = Callable[[ScriptedHost, HvDevice], Awaitable[int]]


def told(story: Story, accept: int = 0x50003) -> int:
    """Open a channel, then what the story gives."""
    host = ScriptedHost(accept=accept)
    host.answers[MODIFY] = lambda m: VmbusChannelModifychannelResponse(child_relid=m.child_relid)
    seen: list[int] = []

    async def probe(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        seen.append(await story(host, hdev))
        return 0

    play(host, probe)
    return seen[0]


async def down(host: ScriptedHost, cpu: int) -> int:
    return await host.kernel.hotplug.cpu_down(cpu)


def test_the_cpu_of_the_hosts_messages_stays() -> None:
    assert told(lambda host, _: down(host, 0)) == -EBUSY


def test_a_cpu_that_no_channel_interrupts_may_go() -> None:
    assert told(lambda host, _: down(host, 1)) == 0


async def moved_there(host: ScriptedHost, hdev: HvDevice) -> int:
    assert await target_cpu_store(hdev.channel, CpuId(1)) == 0
    return await down(host, 1)


async def moved_away(host: ScriptedHost, hdev: HvDevice) -> int:
    assert await moved_there(host, hdev) == -EBUSY
    assert await target_cpu_store(hdev.channel, CpuId(0)) == 0
    return await down(host, 1)


def test_a_cpu_that_a_channel_interrupts_stays_until_the_channel_is_moved_away() -> None:
    assert told(moved_there) == -EBUSY
    assert told(moved_away) == 0


async def disconnected(host: ScriptedHost, hdev: HvDevice) -> int:
    assert await target_cpu_store(hdev.channel, CpuId(1)) == 0
    await host.vmbus.initiate_unload()
    return await down(host, 1)


def test_without_a_connection_any_cpu_may_go() -> None:
    assert told(disconnected) == 0


@pytest.mark.parametrize(
    ("version", "expected", "looks"), [(0x50003, -EBUSY, 4), (0x40001, -EBUSY, 4), (0x40000, 0, 0)]
)
def test_from_4_1_on_an_event_that_nobody_takes_keeps_the_cpu(
    version: int, expected: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_ns: list[int] = []

    async def story(host: ScriptedHost, _hdev: HvDevice) -> int:
        def pending(_synic: VmbusInterrupts, cpu: int) -> bool:
            assert cpu == 1
            at_ns.append(host.kernel.now_ns())
            return True

        monkeypatch.setattr(VmbusInterrupts, "events_pending", pending)
        return await down(host, 1)

    assert told(story, version) == expected
    assert [at - at_ns[0] for at in at_ns] == [10_000_000 * look for look in range(looks)]


async def signalled_when_gone(host: ScriptedHost, hdev: HvDevice) -> int:
    assert await down(host, 1) == 0
    host.vmbus.synic_event(VpIndex(1), hdev.channel.relid)
    assert await host.kernel.hotplug.cpu_up(1) == 0
    return await down(host, 1)


def test_what_is_signalled_to_a_cpu_that_is_gone_is_lost_and_does_not_come_back() -> None:
    assert told(signalled_when_gone) == 0


def test_a_channel_cannot_be_moved_to_a_cpu_that_is_gone() -> None:
    async def story(host: ScriptedHost, hdev: HvDevice) -> int:
        assert await down(host, 1) == 0
        return await target_cpu_store(hdev.channel, CpuId(1))

    assert told(story) == -22
