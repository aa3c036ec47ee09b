# SPDX-License-Identifier: MIT
"""Moving a channel's interrupt, at the VMBus versions that can and that answer."""

from __future__ import annotations

from errno import EINVAL, EIO

import pytest

from guest.vmbus.channel import HvDevice
from guest.vmbus.target_cpu import target_cpu_store
from protocol.ids import CpuId
from protocol.vmbus import ChannelMessageType, VmbusChannelModifychannelResponse
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play

MODIFY = ChannelMessageType.CHANNELMSG_MODIFYCHANNEL


def moved(host: ScriptedHost, cpu: int) -> tuple[int, int]:
    """Open a channel and move it: (what the write returned, the CPU afterwards)."""
    seen: list[tuple[int, int]] = []

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        error = await target_cpu_store(hdev.channel, CpuId(cpu))
        seen.append((error, hdev.channel.target_cpu))
        return 0

    play(host, story)
    return seen[0]


@pytest.mark.wire_note("1.8a")
def test_before_4_1_there_is_no_such_message() -> None:
    host = ScriptedHost(accept=0x40000)
    assert moved(host, 1) == (-EIO, 0)
    assert "MODIFYCHANNEL" not in host.heard


@pytest.mark.wire_note("1.8a", "1.8b")
def test_up_to_5_2_the_message_is_not_answered_and_nobody_waits() -> None:
    host = ScriptedHost(accept=0x50002)
    assert moved(host, 1) == (0, 1)
    assert host.heard[-1] == "MODIFYCHANNEL"


@pytest.mark.wire_note("1.8b")
@pytest.mark.parametrize(("status", "expected"), [(0, (0, 1)), (1, (-EIO, 0))])
def test_from_5_3_on_the_answer_decides(status: int, expected: tuple[int, int]) -> None:
    host = ScriptedHost()
    host.answers[MODIFY] = lambda m: VmbusChannelModifychannelResponse(
        child_relid=m.child_relid, status=status
    )
    assert moved(host, 1) == expected
    assert host.posts[-1].target_vp == 1


def test_a_rescind_wakes_whoever_waits_for_the_answer() -> None:
    host = ScriptedHost()
    host.answers[MODIFY] = lambda _: host.rescind()
    assert moved(host, 1)[0] == 0
    assert host.kernel.heap.census() == {}


def test_a_cpu_that_is_not_there_is_invalid_and_the_same_one_is_no_move() -> None:
    host = ScriptedHost()
    assert moved(host, 7) == (-EINVAL, 0)
    assert moved(ScriptedHost(), 0) == (0, 0)
