# SPDX-License-Identifier: MIT
"""When a request gets its id, and under which locks."""

from __future__ import annotations

from errno import EAGAIN, EIO

import pytest

from guest.kernel import ops
from guest.kernel.faults import LockMisuse
from guest.vmbus.channel import HvDevice, VmbusChannel
from guest.vmbus.packets import lock_requestor, unlock_requestor, vmbus_sendpacket
from protocol.vmbus import VM_PKT_DATA_INBAND, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play


async def ask(channel: VmbusChannel, size_bytes: int = 8) -> int:
    """Send a request that wants a completion."""
    flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
    return await vmbus_sendpacket(channel, bytes(size_bytes), object(), VM_PKT_DATA_INBAND, flags)


def test_a_completion_function_that_sends_locks_itself_out() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await lock_requestor(hdev.channel)
        return await ask(hdev.channel)

    with pytest.raises(LockMisuse, match="req_lock"):
        play(host, story)


def test_a_sender_waits_for_whoever_looks_a_request_up_and_holds_the_ring_meanwhile() -> None:
    host = ScriptedHost()
    sent_ns: list[int] = []

    async def hold(channel: VmbusChannel) -> None:
        await lock_requestor(channel)
        await ops.udelay(host.kernel, 100)
        assert channel.ring_lock.owner is not None
        await unlock_requestor(channel)

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        start_ns = host.kernel.now_ns()
        host.kernel.spawn_thread("holder", hold(hdev.channel), cpu=1)
        await ops.udelay(host.kernel, 10)
        assert await ask(hdev.channel) == 0
        sent_ns.append(host.kernel.now_ns() - start_ns)
        assert hdev.channel.ring_lock.owner is None
        assert hdev.channel.requestor_lock.owner is None
        return 0

    play(host, story)
    assert sent_ns == [100_000]


def test_a_bad_index_is_told_before_the_want_of_ids() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        channel = hdev.channel
        assert await open_channel(hdev) == 0
        for _ in range(channel.requestor_size):
            assert await ask(channel) == 0
        assert await ask(channel) == -EAGAIN
        host.host_end(hdev)[0].read_index = 1 << 20
        assert await ask(channel) == -EIO
        assert channel.outbound is not None
        assert channel.outbound.write_index == channel.requestor_size * 32
        return 0

    play(host, story)


def test_a_full_ring_takes_no_id() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        channel = hdev.channel
        assert await open_channel(hdev) == 0
        sent = 0
        while await ask(channel, 1000) == 0:
            sent += 1
        assert channel.requestor is not None
        assert channel.requestor.in_use == sent == 15
        return 0

    play(host, story)
