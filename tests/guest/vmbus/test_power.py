# SPDX-License-Identifier: MIT
"""The bus hibernates: its connection ends, and the next one takes the old channels up again.

After vmbus_bus_suspend() and vmbus_bus_resume() of Linux 6.12.
"""

from __future__ import annotations

from errno import EBUSY, ECONNREFUSED, EINVAL

import pytest

from guest.kernel.dpm import PmEvent
from guest.kernel.ops import NS_PER_MS
from guest.vmbus.channel import INVALID_RELID, HvDevice
from protocol.versions import VMBUS_DIALECTS
from protocol.vmbus import ChannelMessageType, VmbusChannelVersionResponse
from tests.guest.vmbus.scripted_host import INSTANCE, INTERFACE, ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play

OLD, NEW = 5, 9


class Sleeper:
    """A host with one open channel, and what it takes to suspend and resume the bus under it."""

    def __init__(self) -> None:
        self.host = ScriptedHost()
        self.driver = play(self.host, open_channel)
        self.results: list[int] = []

    @property
    def device(self) -> HvDevice:
        device = self.host.vmbus.primary_channels[INTERFACE, INSTANCE].device_obj
        assert device is not None
        return device

    def suspend(self) -> int:
        self.host.heard.clear()
        self.host.kernel.spawn_thread("suspend", self._suspend())
        self.host.engine.run()
        return self.results[-1]

    async def _suspend(self) -> None:
        self.results.append(await self.host.kernel.pm.suspend_noirq())

    def resume(self, *offers: int) -> None:
        """The host answers REQUESTOFFERS with these relids for the one instance."""
        self.host.heard.clear()

        def answer(_: object) -> None:
            for relid in offers:
                self.host.offer(relid)

        self.host.answers[ChannelMessageType.CHANNELMSG_REQUESTOFFERS] = answer
        self.host.kernel.spawn_thread("resume", self._resume())
        self.host.engine.run()

    async def _resume(self) -> None:
        await self.host.kernel.pm.resume_noirq(PmEvent.RESTORE)


def test_the_devices_close_their_channels_before_the_bus_ends_the_connection() -> None:
    sleeper = Sleeper()
    assert sleeper.suspend() == 0
    assert sleeper.host.heard == ["CLOSECHANNEL", "GPADL_TEARDOWN", "UNLOAD"]
    assert sleeper.device.channel.relid == INVALID_RELID
    assert sleeper.host.vmbus.channels == {}


def test_a_host_that_knows_no_unload_is_asked_for_none() -> None:
    sleeper = Sleeper()
    sleeper.host.vmbus.dialect = next(d for d in VMBUS_DIALECTS.values() if not d.unload)
    assert sleeper.suspend() == 0
    assert sleeper.host.heard == ["CLOSECHANNEL", "GPADL_TEARDOWN"]


def test_an_offer_under_another_relid_is_matched_by_its_instance() -> None:
    sleeper = Sleeper()
    channel = sleeper.device.channel
    assert sleeper.suspend() == 0
    sleeper.resume(NEW)
    assert sleeper.device.channel is channel
    assert channel.relid == NEW
    assert channel.sig_event == (0x10000 + NEW).to_bytes(8, "little")
    assert sleeper.host.vmbus.channels == {NEW: channel}
    assert sleeper.host.heard == [
        *("INITIATE_CONTACT", "REQUESTOFFERS", "GPADL_HEADER", "OPENCHANNEL"),
    ]


def test_only_the_version_of_before_is_asked_for() -> None:
    sleeper = Sleeper()
    assert sleeper.suspend() == 0
    sleeper.host.answers[ChannelMessageType.CHANNELMSG_INITIATE_CONTACT] = lambda _: (
        VmbusChannelVersionResponse(version_supported=0)
    )
    results: list[int] = []

    async def resume() -> None:
        results.append(await sleeper.host.vmbus.vmbus_bus_resume())

    sleeper.host.heard.clear()
    sleeper.host.kernel.spawn_thread("resume", resume())
    sleeper.host.engine.run()
    assert results == [-ECONNREFUSED]
    assert sleeper.host.heard == ["INITIATE_CONTACT"]


def test_a_bus_that_was_never_connected_cannot_resume() -> None:
    host = ScriptedHost()
    results: list[int] = []

    async def resume() -> None:
        results.append(await host.vmbus.vmbus_bus_resume())

    host.kernel.spawn_thread("resume", resume())
    host.engine.run()
    assert results == [-EINVAL]
    assert host.heard == []


@pytest.mark.wire_note("8.8a")
def test_a_missing_device_is_waited_for_for_ten_seconds_and_bars_the_next_suspension() -> None:
    sleeper = Sleeper()
    assert sleeper.suspend() == 0
    before_ns = sleeper.host.engine.now_ns()
    sleeper.resume()
    waited_ns = sleeper.host.engine.now_ns() - before_ns
    assert 10_000 <= waited_ns / NS_PER_MS < 10_100
    assert sleeper.suspend() == -EBUSY


def test_a_device_that_is_offered_too_late_lifts_the_bar() -> None:
    sleeper = Sleeper()
    assert sleeper.suspend() == 0
    sleeper.resume()
    sleeper.host.offer(NEW)
    sleeper.host.engine.run()
    assert sleeper.suspend() == 0


def test_an_offer_that_comes_while_the_bus_goes_down_is_not_looked_at() -> None:
    sleeper = Sleeper()
    sleeper.host.vmbus.ignore_any_offer_msg = True
    sleeper.host.rescind(OLD)
    sleeper.host.engine.run()
    assert not sleeper.device.channel.rescind


def test_an_offer_that_came_too_late_does_not_stand_for_one_of_the_next_resume() -> None:
    sleeper = Sleeper()
    assert sleeper.suspend() == 0
    sleeper.resume()
    sleeper.host.offer(NEW)
    sleeper.host.engine.run()
    assert sleeper.suspend() == 0
    before_ns = sleeper.host.engine.now_ns()
    sleeper.resume()
    assert sleeper.host.engine.now_ns() - before_ns >= 10_000 * NS_PER_MS
