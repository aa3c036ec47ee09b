# SPDX-License-Identifier: MIT
"""An offer and the rescind that undoes it: who may overtake whom, and who waits for whom."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from guest.events import RescindFlagRaised
from guest.kernel import ops
from guest.kernel.ops import NS_PER_MS
from guest.vmbus.channel import HvDevice
from guest.vmbus.messages import BLOCKING
from guest.vmbus.offers import MAX_CHANNEL_RELIDS
from protocol.ids import VpIndex
from protocol.vmbus import ChannelMessageType
from tests.guest.vmbus.scripted_host import INSTANCE, ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play

RESCINDED_MS = 20
OTHER_INSTANCE = UUID("00000000-1111-2222-3333-555555555555")
ANOTHER_TYPE = UUID("f912ad6d-2b17-48ea-bd65-f927a61c7684")


@pytest.mark.wire_note("1.7a")
def test_offers_rescinds_and_probing_have_a_queue_each() -> None:
    vmbus = ScriptedHost().vmbus
    offers, rescinds = (
        BLOCKING[kind].queue_of(vmbus)
        for kind in (
            ChannelMessageType.CHANNELMSG_OFFERCHANNEL,
            ChannelMessageType.CHANNELMSG_RESCIND_CHANNELOFFER,
        )
    )
    assert len({id(queue) for queue in (offers, rescinds, vmbus.handle_primary_chan_wq)}) == 3


@pytest.mark.wire_note("1.7b")
def test_a_rescind_looks_each_millisecond_whether_all_offers_are_entered() -> None:
    host = ScriptedHost()
    raised_ms: list[float] = []

    def note(event: object) -> None:
        if isinstance(event, RescindFlagRaised):
            raised_ms.append(host.engine.now_ns() / NS_PER_MS)

    def change(by: int) -> None:
        host.vmbus.offer_in_progress += by

    host.kernel.emit = note
    host.rescind(delay_ns=RESCINDED_MS * NS_PER_MS)
    for at_ns, by in ((RESCINDED_MS * NS_PER_MS - 1, 1), (25 * NS_PER_MS + 1, -1)):
        host.engine.later((at_ns, at_ns), "another offer", partial(change, by))
    play(host, open_channel)
    assert raised_ms == [pytest.approx(26, abs=0.1)]


@pytest.mark.wire_note("1.7b")
def test_a_rescind_looks_each_millisecond_whether_probe_has_ended() -> None:
    host = ScriptedHost()
    ended_ns: list[int] = []

    async def slow_probe(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        await ops.msleep(host.kernel, 50)
        ended_ns.append(host.engine.now_ns())
        return 0

    host.rescind(delay_ns=RESCINDED_MS * NS_PER_MS)
    driver = play(host, slow_probe)
    assert driver.removed == 1
    assert ended_ns[0] < host.engine.now_ns() < ended_ns[0] + 2 * NS_PER_MS


@pytest.mark.parametrize(
    ("size", "told"), [(4, []), (8, []), (240, []), (241, ["payload size is too large (241)"])]
)
def test_of_a_message_that_is_only_a_type_no_length_is_asked_for(
    size: int, told: list[str]
) -> None:
    host = ScriptedHost()
    kind = int(ChannelMessageType.CHANNELMSG_ALLOFFERS_DELIVERED)
    message = bytes([1, 0, 0, 0, size]).ljust(16, b"\0") + kind.to_bytes(240, "little")
    host.vmbus.synic_message(VpIndex(0), message)
    host.engine.run()
    assert [text for _, _, text in host.kernel.log_lines] == told


def test_a_relid_beyond_the_table_finds_no_channel() -> None:
    host = ScriptedHost()
    host.connect()
    host.offer(relid=MAX_CHANNEL_RELIDS)
    host.rescind(relid=MAX_CHANNEL_RELIDS, delay_ns=RESCINDED_MS * NS_PER_MS)
    host.engine.run()
    assert host.vmbus.channels == {}
    assert len(host.vmbus.primary_channels) == 1  # nobody ever takes it away


def test_an_instance_that_is_offered_as_another_type_goes_as_that() -> None:
    host = ScriptedHost()
    host.connect()
    host.offer()
    host.offer(interface=ANOTHER_TYPE, delay_ns=RESCINDED_MS * NS_PER_MS)
    host.rescind(delay_ns=2 * RESCINDED_MS * NS_PER_MS)
    host.engine.run()
    assert (host.vmbus.channels, host.vmbus.primary_channels) == ({}, {})


def test_of_two_channels_with_one_number_the_rescind_takes_the_younger() -> None:
    host = ScriptedHost()
    host.connect()
    host.offer()
    host.offer(instance=OTHER_INSTANCE, delay_ns=RESCINDED_MS * NS_PER_MS)
    host.rescind(delay_ns=2 * RESCINDED_MS * NS_PER_MS)
    host.engine.run()
    assert host.vmbus.channels == {}
    (left,) = host.vmbus.primary_channels.values()
    assert left.offer.offer.if_instance == INSTANCE
