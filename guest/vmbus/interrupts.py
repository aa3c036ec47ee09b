# SPDX-License-Identifier: MIT
"""The SynIC as VMBus uses it: the message slot and event flags of SINT 2 and their interrupt.

After vmbus_isr(), vmbus_chan_sched() and vmbus_on_msg_dpc() of vmbus_drv.c. What the host puts
there raises ``vmbus_isr`` on that CPU. Knows no message's content.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from guest.kernel.alone import alone
from guest.kernel.kernel import Kernel
from guest.kernel.rcu import Rcu
from guest.kernel.work import Tasklet
from guest.vmbus.channel import VmbusChannel
from protocol.ids import RelId, VpIndex


class CpuContext:
    """struct hv_per_cpu_context: the CPU's SynIC message slot, event flags and their tasklet.

    ``queued`` are messages the hypervisor holds back until the slot is free. What is sent to a
    SynIC that is not ``enabled`` is lost.
    """

    __slots__ = ("enabled", "event_flags", "isr_name", "isr_pending", "msg_dpc", "queued", "slot")

    def __init__(self, kernel: Kernel, dpc: Callable[[], Awaitable[None]], cpu: int) -> None:
        self.isr_name = f"vmbus_isr@{cpu}"
        self.enabled = True
        self.slot: bytes | None = None
        self.queued: deque[bytes] = deque()
        self.event_flags: dict[int, None] = {}
        self.isr_pending = False
        self.msg_dpc = Tasklet(kernel, f"vmbus_on_msg_dpc/{cpu}", dpc)


class VmbusInterrupts:
    """Every CPU's part. ``dispatch`` takes a message as it stood in the slot, and says whether it
    could: if not, the slot stays taken."""

    __slots__ = ("_channels", "_cpu_of_vp", "_cpus", "_dispatch", "_kernel", "_rcu")

    def __init__(
        self,
        kernel: Kernel,
        rcu: Rcu,
        channels: Mapping[RelId, VmbusChannel],
        dispatch: Callable[[bytes], Awaitable[bool]],
    ) -> None:
        self._kernel = kernel
        self._rcu = rcu
        self._channels = channels
        self._dispatch = dispatch
        self._cpus = [CpuContext(kernel, self._dpc_of(cpu), cpu) for cpu in range(len(kernel.cpus))]
        self._cpu_of_vp = {cpu.vp: cpu.index for cpu in kernel.cpus}

    def synic_message(self, vp: VpIndex, message: bytes) -> None:
        """A message for SINT 2 of this processor: into the slot, or behind it."""
        index = self._cpu_of_vp[vp]
        context = self._cpus[index]
        if not context.enabled:
            return
        if context.slot is None:
            context.slot = message
            self._raise_isr(index)
        else:
            context.queued.append(message)

    async def disable(self) -> None:
        """tasklet_disable() of the CPU that offers and rescinds come in on."""
        await self._cpus[0].msg_dpc.disable()

    async def enable(self) -> None:
        """tasklet_enable()."""
        await self._cpus[0].msg_dpc.enable()

    def take_message(self, cpu: int) -> bytes | None:
        """What stands in a CPU's slot, for whoever looks himself; what waits behind it comes in."""
        context = self._cpus[cpu]
        message = context.slot
        context.slot = context.queued.popleft() if context.queued else None
        return message

    def drop_messages(self) -> None:
        """Empty the slots of all CPUs, and what waits behind them."""
        for context in self._cpus:
            context.slot = None
            context.queued.clear()

    def synic_event(self, vp: VpIndex, flag: int) -> None:
        """An event flag of SINT 2: a channel's relid."""
        index = self._cpu_of_vp[vp]
        context = self._cpus[index]
        if context.enabled:
            context.event_flags[flag] = None
            self._raise_isr(index)

    def events_pending(self, cpu: int) -> bool:
        """Whether an event flag of that CPU is set."""
        return bool(self._cpus[cpu].event_flags)

    def enable_regs(self, cpu: int) -> None:
        """hv_synic_enable_regs(): both pages are empty, the interrupt may come."""
        context = self._cpus[cpu]
        context.slot = None
        context.queued.clear()
        context.event_flags = {}
        context.isr_pending = False
        context.enabled = True

    def disable_regs(self, cpu: int) -> None:
        """hv_synic_disable_regs(): the pages are taken away, with what is in them."""
        self._cpus[cpu].enabled = False

    def _raise_isr(self, index: int) -> None:
        context = self._cpus[index]
        if not context.isr_pending:  # the interrupt line is up already
            context.isr_pending = True
            self._kernel.raise_interrupt(index, context.isr_name, self._isr(context))

    async def _isr(self, context: CpuContext) -> None:
        """__vmbus_isr(): schedule the channels with events, then the message tasklet."""
        context.isr_pending = False
        flags, context.event_flags = context.event_flags, {}
        for relid in sorted(flags):
            channel = self._channels.get(RelId(relid))
            if channel is not None and not channel.rescind:
                await self.vmbus_chan_sched(channel)
        if context.slot is not None:
            context.msg_dpc.schedule()

    async def vmbus_chan_sched(self, channel: VmbusChannel) -> None:
        """vmbus_chan_sched() for one relid."""
        lock = channel.sched_lock
        if alone(self._kernel, lock):
            channel.begin_read()
            return
        self._rcu.read_lock()
        await lock.lock()
        channel.begin_read()
        await lock.unlock()
        self._rcu.read_unlock()

    def _dpc_of(self, cpu: int) -> Callable[[], Awaitable[None]]:
        return lambda: self._on_msg_dpc(self._cpus[cpu], cpu)

    async def _on_msg_dpc(self, context: CpuContext, cpu: int) -> None:
        """vmbus_on_msg_dpc(): one message, then free the slot for the next."""
        if context.slot is None:
            return
        handled = await self._dispatch(context.slot)
        if not handled:
            return  # out of memory: Linux leaves the slot as it is
        context.slot = context.queued.popleft() if context.queued else None
        if context.slot is not None:
            self._raise_isr(cpu)
