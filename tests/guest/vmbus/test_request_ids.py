# SPDX-License-Identifier: MIT
"""When a request gets its id, and under which locks."""

from __future__ import annotations

from errno import EAGAIN, EIO

import pytest

from guest.events import PacketDropped
from guest.kernel import ops
from guest.kernel.faults import EndlessLoop, LockMisuse
from guest.pci_hyperv.driver import HvPciDriver
from guest.pci_hyperv.requests import HvPciCompl
from guest.vmbus.channel import HvDevice, VmbusChannel
from guest.vmbus.packets import (
    lock_requestor,
    unlock_requestor,
    vmbus_recvpacket_raw,
    vmbus_sendpacket,
)
from protocol.ring import Packet
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)
from protocol.vpci import MessageType, PciResponse, PciWriteBlock
from tests.guest.pci_hyperv.story import Story
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play


async def ask(channel: VmbusChannel, payload: bytes = bytes(8)) -> int:
    """Send a request that wants a completion."""
    flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
    return await vmbus_sendpacket(channel, payload, object(), VM_PKT_DATA_INBAND, flags)


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


@pytest.mark.wire_note("5.3a", "6.6a", "9.2c")
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


def test_a_write_index_beyond_the_ring_is_not_looked_at_and_never_reached() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        assert vmbus_recvpacket_raw(hdev.channel, 256) == (0, None)
        host.host_end(hdev)[1].write_index = 1 << 20
        with pytest.raises(EndlessLoop, match="out of range"):
            vmbus_recvpacket_raw(hdev.channel, 256)
        return 0

    play(host, story)


@pytest.mark.wire_note("5.1a", "5.2b")
def test_the_driver_has_64_requests_in_flight_and_no_more() -> None:
    story = Story().arrive()
    channel = story.hdev.channel
    story.host.silent.add(MessageType.PCI_WRITE_BLOCK)
    message = PciWriteBlock().build()
    write_indices: list[int] = []

    async def ask_too_often() -> None:
        ring = channel.outbound
        assert ring is not None
        assert [await ask(channel, message) for _ in range(64)] == [0] * 64
        write_indices.append(ring.write_index)
        assert await ask(channel, message) == -EAGAIN
        write_indices.append(ring.write_index)

    story.thread(ask_too_often())
    assert write_indices[0] == write_indices[1]


class WatchfulDriver(HvPciDriver):
    """Tells, at each plain answer, how many ids are taken and whether the lock is held."""

    async def hv_pci_generic_compl(self, context: HvPciCompl, packet: Packet, size: int) -> None:
        (channel,) = self.vmbus.channels.values()
        assert channel.requestor is not None
        self.kernel.emit((channel.requestor.in_use, channel.requestor_lock.owner is not None))
        await super().hv_pci_generic_compl(context, packet, size)


@pytest.mark.wire_note("5.4a")
def test_an_answer_is_taken_in_under_the_lock_when_its_id_is_free_already() -> None:
    story = Story(driver=WatchfulDriver).arrive()
    assert set(story.of(tuple)) == {(0, True)}


@pytest.mark.wire_note("5.4b")
@pytest.mark.parametrize("transaction_id", [0, 2, 64, 65, (1 << 64) - 1])
def test_an_answer_without_a_request_is_logged_once_and_dropped(transaction_id: int) -> None:
    story = Story().arrive()
    logged = len(story.kernel.log_lines)
    story.host.send(PciResponse(0).build(), trans_id=transaction_id, kind=VM_PKT_COMP)
    story.run()
    reason = f"invalid transaction ID {transaction_id:x}"
    assert [event.reason for event in story.of(PacketDropped)] == [reason]
    assert [line[1:] for line in story.kernel.log_lines[logged:]] == [("err", reason)]


@pytest.mark.wire_note("5.3a")
def test_a_full_ring_takes_no_id() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        channel = hdev.channel
        assert await open_channel(hdev) == 0
        sent = 0
        while await ask(channel, bytes(1000)) == 0:
            sent += 1
        assert channel.requestor is not None
        assert channel.requestor.in_use == sent == 15
        return 0

    play(host, story)
