# SPDX-License-Identifier: MIT
"""Whether a CPU may leave the SynIC, and how it joins it: hv_synic_cleanup() and hv_synic_init().

After drivers/hv/hv.c. Knows no interrupt but VMBus's own.
"""

from __future__ import annotations

from errno import EBUSY
from functools import partial
from typing import TYPE_CHECKING

from guest.kernel import ops
from guest.kernel.cpu_hotplug import CpuhpState, CpuhpStep
from guest.vmbus.channel import CONNECT_CPU

if TYPE_CHECKING:
    from guest.vmbus.connection import VmbusConnection

EVENT_TRIES_MAX = 3  # HV_MAX_TRIES
EVENT_DELAY_US = 10_000  # the lower end of usleep_range(10000, 20000)


def synic_state(vmbus: VmbusConnection) -> CpuhpStep:
    """What VMBus wants to be told of CPUs ("hyperv/vmbus:online")."""
    return CpuhpStep(
        CpuhpState.AP_ONLINE_DYN,
        partial(_hv_synic_init, vmbus),
        partial(_hv_synic_cleanup, vmbus),
    )


async def _hv_synic_init(vmbus: VmbusConnection, cpu: int) -> int:
    """hv_synic_init(). Model: no timers."""
    vmbus.interrupts.enable_regs(cpu)
    return 0


async def _hv_synic_cleanup(vmbus: VmbusConnection, cpu: int) -> int:
    """hv_synic_cleanup(): -EBUSY for the connect CPU, while a channel interrupts the CPU, and for
    an event that nobody takes. Without a connection any CPU may go.
    """
    if vmbus.connected:
        if cpu == CONNECT_CPU or await _is_target(vmbus, cpu):
            return -EBUSY
        moves = vmbus.dialect is not None and vmbus.dialect.modify_channel
        if moves and await _hv_synic_event_pending(vmbus, cpu):
            return -EBUSY
    vmbus.interrupts.disable_regs(cpu)
    return 0


async def _is_target(vmbus: VmbusConnection, cpu: int) -> bool:
    """Whether any channel's interrupts go there. None is moved elsewhere."""
    await vmbus.channel_mutex.lock()
    found = any(channel.target_cpu == cpu for channel in vmbus.primary_channels.values())
    await vmbus.channel_mutex.unlock()
    return found


async def _hv_synic_event_pending(vmbus: VmbusConnection, cpu: int) -> bool:
    """hv_synic_event_pending(): a channel was moved away, and its last event may be on its way."""
    for _ in range(EVENT_TRIES_MAX):
        if not vmbus.interrupts.events_pending(cpu):
            return False
        await ops.usleep(vmbus.kernel, EVENT_DELAY_US)
    return vmbus.interrupts.events_pending(cpu)
