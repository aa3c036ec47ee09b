# SPDX-License-Identifier: MIT
"""An interrupt looked at the channel's callback without a lock, and used the ring after its end.

Since 9403b66e6161 the look and the use are under ``sched_lock``, and so is the reset of the
callback.
"""

from __future__ import annotations

from guest.defects.record import Defect, Mixin
from guest.kernel import ops
from guest.vmbus.channel import VmbusChannel, inbound_ring
from guest.vmbus.interrupts import VmbusInterrupts


class NoSchedLock(VmbusInterrupts):
    """vmbus_chan_sched() that tests the callback and goes on without ``sched_lock``."""

    async def vmbus_chan_sched(self, channel: VmbusChannel) -> None:
        self._rcu.read_lock()
        if channel.onchannel_callback is not None:
            await ops.point(self._kernel, "onchannel_callback")
            inbound_ring(channel).begin_read()
            channel.callback_event.schedule()
        self._rcu.read_unlock()


DEFECT = Defect(
    id="sched-vs-close",
    subject=(
        "Drivers: hv: vmbus: Use a spin lock for synchronizing channel scheduling vs. channel "
        "removal"
    ),
    commit="9403b66e6161",
    commit_check="unconfirmed",
    cls="E",
    fixed="2020-04 / v5.8",
    scenario="rescind-other-cpu",
    expect="null-dereference",
    why=(
        "The interrupt finds a callback, the rescind closes the channel on another CPU, and "
        "the interrupt reads the ring's header."
    ),
    mixins=(Mixin("vmbus_interrupts", NoSchedLock),),
)
