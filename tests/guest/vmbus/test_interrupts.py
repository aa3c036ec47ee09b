# SPDX-License-Identifier: MIT
"""The VMBus interrupt against a channel that goes at the same time."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from guest.vmbus.channel import HvDevice
from protocol.ids import VpIndex
from protocol.vmbus import VmbusChannelRescindOffer
from sim.choices import Option
from tests.guest.vmbus.scripted_host import ScriptedHost
from tests.guest.vmbus.test_channels import open_channel, play

ISR = "vmbus_isr@1"


class SlowInterrupt:
    """Natural order, but CPU 1's interrupt is run at once for a number of steps, then last."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def choose(self, options: Sequence[Option]) -> int:
        isr = [option.name.startswith(ISR) for option in options]
        if any(isr) and self._steps:
            self._steps -= 1
            return isr.index(True)
        return isr.index(False) if False in isr else 0


@pytest.mark.parametrize("steps", range(4))
def test_an_interrupt_may_look_at_its_channel_until_it_is_done_with_it(steps: int) -> None:
    host = ScriptedHost(SlowInterrupt(steps))

    async def story(hdev: HvDevice) -> int:
        assert await open_channel(hdev) == 0
        host.engine.later((1_000_000, 1_000_000), "events", rescind_and_signal)
        return 0

    def rescind_and_signal() -> None:
        message = VmbusChannelRescindOffer(child_relid=5).build()
        header = (1).to_bytes(4, "little") + bytes([len(message)]) + bytes(11)
        host.vmbus.synic_message(VpIndex(0), header + message)
        host.vmbus.synic_event(VpIndex(1), 5)

    assert play(host, story).removed == 1
    assert host.heard[-1] == "RELID_RELEASED"
    assert host.kernel.heap.census() == {}
