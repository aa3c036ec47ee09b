# SPDX-License-Identifier: MIT
"""A crashing kernel's UNLOAD: its answer is looked for in every slot, for 100 s and no longer."""

from __future__ import annotations

from typing import Any

import pytest

from guest.events import UnloadAwaited, UnloadEnded
from guest.kernel.ops import NS_PER_MS
from guest.vmbus.crash import hv_panic_vmbus_unload
from protocol.ids import VpIndex
from protocol.versions import VMBUS_DIALECTS, VmbusDialect
from protocol.vmbus import ChannelMessageType, VmbusChannelMessageHeader
from tests.guest.vmbus.scripted_host import ScriptedHost

UNLOAD_RESPONSE = VmbusChannelMessageHeader(msgtype=ChannelMessageType.CHANNELMSG_UNLOAD_RESPONSE)


class Crashing:
    """A guest that was connected and is crashing on its second CPU."""

    def __init__(self, *, accept: int = 0x50003) -> None:
        self.host = ScriptedHost(accept=accept)
        self.host.connect()
        self.host.engine.run()
        self.events: list[Any] = []
        self.host.kernel.emit = self._happened
        self.host.heard.clear()
        self.host.kernel.die()
        self.began_ns = self.host.engine.now_ns()

    def _happened(self, event: object) -> None:
        self.events.append(event)
        self.host.engine.progress_step = self.host.engine.steps

    def crash(self) -> float:
        """Play the crash path; the milliseconds it took."""
        self.host.kernel.spawn_thread("crash", hv_panic_vmbus_unload(self.host.vmbus), 1)
        self.host.engine.run()
        return (self.host.engine.now_ns() - self.began_ns) / NS_PER_MS

    def ended(self) -> list[bool]:
        return [event.answered for event in self.events if isinstance(event, UnloadEnded)]


def test_the_answer_is_found_at_the_second_look_at_the_latest() -> None:
    guest = Crashing()
    assert guest.crash() == 20
    assert guest.host.heard == ["UNLOAD"]
    assert guest.ended() == [True]


@pytest.mark.wire_note("8.7b")
def test_the_answer_may_come_to_any_processor_and_behind_other_messages() -> None:
    guest = Crashing()
    guest.host.answers[ChannelMessageType.CHANNELMSG_UNLOAD] = lambda _: None
    payload = UNLOAD_RESPONSE.build()
    answer = (1).to_bytes(4, "little") + bytes([len(payload)]) + bytes(11) + payload
    other = answer[:16] + bytes([ChannelMessageType.CHANNELMSG_ALLOFFERS_DELIVERED]) + bytes(7)
    for message in (other, other, answer, other):
        guest.host.vmbus.synic_message(VpIndex(1), message)
    assert guest.crash() == 30
    assert guest.ended() == [True]
    # What stood behind it is dropped: a new kernel finds empty slots.
    assert guest.host.vmbus.interrupts.take_message(1) is None


@pytest.mark.wire_note("8.7b")
def test_a_host_that_never_answers_is_waited_for_100_s_with_a_notice_each_5_s() -> None:
    guest = Crashing()
    guest.host.answers[ChannelMessageType.CHANNELMSG_UNLOAD] = lambda _: None
    assert guest.crash() == 100_000
    assert guest.ended() == [False]
    notices = [event.waited_ms for event in guest.events if isinstance(event, UnloadAwaited)]
    assert notices == [5_000 * n - 10 for n in range(1, 21)]  # ahead of the sleep, as in C


@pytest.mark.parametrize("dialect", VMBUS_DIALECTS.values(), ids=lambda each: each.name)
def test_unload_is_sent_where_the_version_has_it(dialect: VmbusDialect) -> None:
    guest = Crashing(accept=dialect.version)
    guest.crash()
    assert guest.host.heard == ["UNLOAD"] * dialect.unload
    assert dialect.unload is (dialect.version >= 0x30000)  # VERSION_WIN8_1


def test_a_kernel_without_a_connection_has_nothing_to_unload() -> None:
    guest = Crashing()
    guest.host.vmbus.dialect = None
    assert guest.crash() == 0
    assert guest.host.heard == []


def test_a_dead_kernel_takes_no_interrupt() -> None:
    guest = Crashing()
    guest.host.vmbus.synic_event(VpIndex(0), 5)
    guest.host.engine.run()
    assert guest.host.engine.waiting() == []
