# SPDX-License-Identifier: MIT
"""Packets over an open channel: written, read, signalled, and refused."""

from __future__ import annotations

from errno import EAGAIN, ENOBUFS, ENODEV

import pytest

from guest.vmbus.channel import HvDevice
from guest.vmbus.packets import (
    vmbus_recvpacket_raw,
    vmbus_request_addr_match,
    vmbus_sendpacket,
    vmbus_sendpacket_getid,
)
from protocol.hypercall import HypercallResult
from protocol.ids import VpIndex
from protocol.vmbus import (
    VM_PKT_COMP,
    VM_PKT_DATA_INBAND,
    VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
)
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import RING_BYTES, open_channel, play


@pytest.mark.wire_note("4.8b")
@pytest.mark.parametrize("flags", [0, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED])
def test_nothing_is_written_to_the_ring_of_a_rescinded_channel(flags: int) -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        hdev.channel.rescind = True
        channel = hdev.channel
        assert await vmbus_sendpacket(channel, b"x", None, VM_PKT_DATA_INBAND, flags) == -ENODEV
        assert host.host_end(hdev)[0].empty()
        hdev.channel.rescind = False
        return 0

    play(host, story)


@pytest.mark.wire_note("6.10a", "6.10b")
def test_a_full_ring_is_again_and_publishes_nothing() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        sent = 0
        while await vmbus_sendpacket(hdev.channel, bytes(1000), None, VM_PKT_DATA_INBAND, 0) == 0:
            sent += 1
        assert sent == 15  # 16384 // (16 + 1000 + 8), less what must stay free
        refused = await vmbus_sendpacket(hdev.channel, bytes(1000), None, VM_PKT_DATA_INBAND, 0)
        assert refused == -EAGAIN
        assert hdev.channel.outbound is not None
        assert hdev.channel.outbound.pending_send_sz == 0
        assert hdev.channel.outbound.write_index == 15 * 1024
        error, _ = await vmbus_sendpacket_getid(
            hdev.channel,
            bytes(1000),
            object(),
            VM_PKT_DATA_INBAND,
            VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED,
        )
        assert error == -EAGAIN
        assert hdev.channel.requestor is not None
        assert hdev.channel.requestor.in_use == 0, "a request that was not sent keeps no id"
        return 0

    play(host, story)


def test_only_the_first_packet_into_an_empty_ring_signals() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        for _ in range(3):
            assert await vmbus_sendpacket(hdev.channel, b"data", None, VM_PKT_DATA_INBAND, 0) == 0
        return 0

    play(host, story)
    assert host.signals == 1


@pytest.mark.wire_note("5.4a", "6.11c")
def test_a_reply_reaches_the_callback_and_finds_its_request_once() -> None:
    host = ScriptedHost()
    found: list[object] = []
    request = object()

    async def callback(context: object) -> None:
        assert isinstance(context, HvDevice)
        while True:
            _, packet = vmbus_recvpacket_raw(context.channel, 4096)
            if packet is None:
                return
            first = await vmbus_request_addr_match(context.channel, packet.transaction_id, None)
            second = await vmbus_request_addr_match(context.channel, packet.transaction_id, None)
            found.extend([first, second])

    async def story(hdev: HvDevice) -> int:
        hdev.channel.requestor_size = 64
        assert (
            await hdev.vmbus.vmbus_open(hdev.channel, RING_BYTES, RING_BYTES, b"", callback, hdev)
            == 0
        )
        flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
        assert await vmbus_sendpacket(hdev.channel, b"ask", request, VM_PKT_DATA_INBAND, flags) == 0
        received, replies = host.host_end(hdev)
        asked = received.read()
        assert asked is not None
        assert replies.write(VM_PKT_COMP, 0, asked.transaction_id, b"answer")
        host.vmbus.synic_event(VpIndex(0), 5)
        return 0

    play(host, story)
    assert found == [request, None]


@pytest.mark.wire_note("5.3b")
@pytest.mark.parametrize(("flags", "transaction_id"), [(0, 0), (1, 1), (2, 0), (3, 0)])
def test_only_flags_of_exactly_one_give_a_packet_an_id(flags: int, transaction_id: int) -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        channel = hdev.channel
        assert await vmbus_sendpacket(channel, b"ask", object(), VM_PKT_DATA_INBAND, flags) == 0
        packet = host.host_end(hdev)[0].read()
        assert packet is not None
        assert packet.transaction_id == transaction_id
        return 0

    play(host, story)


@pytest.mark.wire_note("6.11b")
def test_the_host_is_signalled_by_a_fast_call_that_names_the_offers_connection() -> None:
    host = ScriptedHost()
    hypercall = host.hypercall
    calls: list[tuple[int, bytes]] = []

    def spy(vp: VpIndex, control: int, data: bytes) -> HypercallResult:
        calls.append((control, data))
        return hypercall(vp, control, data)

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        vars(host)["hypercall"] = spy
        return await vmbus_sendpacket(hdev.channel, b"data", None, VM_PKT_DATA_INBAND, 0)

    play(host, story)
    assert calls == [(0x1005D, (0x10005).to_bytes(8, "little"))]


@pytest.mark.wire_note("6.8c")
def test_the_host_sees_each_packet_read_before_the_next_one_is() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        replies = host.host_end(hdev)[1]
        for number in range(3):
            replies.write(VM_PKT_DATA_INBAND, 0, 0, bytes([number]) * 8)
        for read_index in (32, 64, 96):
            assert vmbus_recvpacket_raw(hdev.channel, 4096)[1] is not None
            assert replies.read_index == read_index
        return 0

    play(host, story)


@pytest.mark.wire_note("6.8a", "6.8b")
def test_the_ring_is_masked_while_it_is_read_and_looked_at_again_afterwards() -> None:
    host = ScriptedHost()
    masks: list[int] = []

    async def read_one(context: object) -> None:
        assert isinstance(context, HvDevice)
        ring = context.channel.inbound
        assert ring is not None
        masks.append(ring.interrupt_mask)
        vmbus_recvpacket_raw(context.channel, 4096)

    async def story(hdev: HvDevice) -> int:
        vmbus, channel = hdev.vmbus, hdev.channel
        opened = await vmbus.vmbus_open(channel, RING_BYTES, RING_BYTES, b"", read_one, hdev)
        assert opened == 0
        replies = host.host_end(hdev)[1]
        assert [replies.write(VM_PKT_DATA_INBAND, 0, 0, b"x") for _ in range(3)] == [
            True,
            False,
            False,
        ]
        host.vmbus.synic_event(VpIndex(0), 5)
        return 0

    play(host, story)
    (channel,) = host.vmbus.channels.values()
    assert channel.inbound is not None
    assert masks == [1, 1, 1]
    assert channel.inbound.empty()
    assert channel.inbound.interrupt_mask == 0


@pytest.mark.wire_note("6.9c")
def test_a_host_that_waits_for_room_is_signalled_once_when_there_is_some() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        replies = host.host_end(hdev)[1]
        while replies.has_room(1000):
            replies.write(VM_PKT_DATA_INBAND, 0, 0, bytes(1000))
        replies.pending_send_sz = 2048
        signals = []
        while vmbus_recvpacket_raw(hdev.channel, 4096)[1] is not None:
            signals.append(host.signals)
        assert signals == [0] + [1] * 14  # 1024 bytes are free before, and 1024 more with each
        return 0

    play(host, story)


def test_a_packet_too_large_for_the_buffer_stays_in_the_ring() -> None:
    host = ScriptedHost()

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        host.host_end(hdev)[1].write(VM_PKT_DATA_INBAND, 0, 0, bytes(300))
        error, packet = vmbus_recvpacket_raw(hdev.channel, 256)
        assert error == -ENOBUFS
        assert packet is not None
        error, packet = vmbus_recvpacket_raw(hdev.channel, packet.size)
        assert error == 0
        assert packet is not None
        assert vmbus_recvpacket_raw(hdev.channel, 256) == (0, None)
        return 0

    play(host, story)
