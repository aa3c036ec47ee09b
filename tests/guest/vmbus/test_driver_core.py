# SPDX-License-Identifier: MIT
"""How long a device of the bus lives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from guest.kernel.faults import UseAfterFree
from guest.vmbus.channel import HvDevice
from guest.vmbus.driver_core import get_device, put_device
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import ProbingDriver, open_channel


def driver_of(host: ScriptedHost, story: Callable[[HvDevice], Awaitable[int]]) -> ProbingDriver:
    driver = ProbingDriver(story)
    host.kernel.spawn_thread("register", host.vmbus.register_driver(driver))
    host.connect()
    host.offer(delay_ns=1_000_000)
    return driver


@pytest.mark.wire_note("1.6c")
def test_a_device_that_somebody_holds_outlives_its_rescind_and_its_channel_with_it() -> None:
    host = ScriptedHost()
    held: list[HvDevice] = []

    async def story(hdev: HvDevice) -> int:
        held.append(get_device(hdev))
        return await open_channel(hdev)

    driver = driver_of(host, story)
    host.rescind(delay_ns=100_000_000)
    host.engine.run()
    assert driver.removed == 1
    assert held[0].channel.rescind
    assert "RELID_RELEASED" not in host.heard
    host.kernel.spawn_thread("put", put_device(held[0]))
    host.engine.run()
    assert host.heard[-1] == "RELID_RELEASED"
    assert host.kernel.heap.census() == {}
    with pytest.raises(UseAfterFree):
        get_device(held[0])
