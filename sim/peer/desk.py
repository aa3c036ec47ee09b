# SPDX-License-Identifier: MIT
"""Where a guest in another process and the simulated kernel that stands for it meet.

What the host brings is told to the peer, what the peer says is done, and simulated time stands
still until it has said all it has to: so a run depends on what the peer does, not on how fast. Each
time there is something to tell, a thread of the kernel does it and ends. Knows no vPCI message.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from errno import EIO, ENODEV
from typing import TYPE_CHECKING, Any, Final

from guest.events import CommandFailed
from guest.kernel import ops
from guest.kernel.context import WaitQueue
from protocol.codec import WireRecord
from protocol.hypercall import (
    HV_STATUS_ACCESS_DENIED,
    HVCALL_POST_MESSAGE,
    HVCALL_SIGNAL_EVENT,
    HypercallResult,
    call_code,
)
from protocol.ids import VpIndex
from protocol.peer_orders import ORDERS, Value, words_of
from protocol.peer_port import (
    DONE_FAILED,
    DONE_NOT_SUPPORTED,
    DONE_OK,
    DONE_REFUSED,
    Close,
    Done,
    Hypercall,
    HypercallDone,
    MmioRead,
    MmioValue,
    MmioWrite,
    MmioWritten,
    Open,
    Order,
    PacketFrame,
    Released,
)
from sim.conformance.case import NotOffered
from sim.peer.fault import nonsense
from sim.peer.talk import Talk, check_size, unexpected
from sim.peer.text import text_of

if TYPE_CHECKING:
    from guest.kernel.kernel import Kernel
    from sim.peer.port_channel import PortChannel

THREAD: Final = "peer"
LOOK_AGAIN_NS: Final = 10_000_000  # how soon who waits for the peer sees that its channel is gone
VMBUS_CALLS: Final = (HVCALL_POST_MESSAGE, HVCALL_SIGNAL_EVENT)  # VMBus is our end's
ERRNOS: Final[Mapping[int, int]] = {DONE_OK: 0, DONE_REFUSED: -ENODEV, DONE_FAILED: -EIO}


class Desk:
    """``channels`` are those that the peer was offered and has not let go of, by number."""

    def __init__(self, kernel: Kernel, talk: Talk) -> None:
        self.kernel: Final = kernel
        self.channels: dict[int, PortChannel] = {}
        self._talk: Final = talk
        self._to_tell: deque[WireRecord] = deque()
        self._busy = False
        self._requests = 0
        self._numbers = 0
        self._done: dict[int, Done] = {}
        self.changed: Final = WaitQueue("peer")  # somebody's wait may be over

    def next_number(self) -> int:
        """For a channel that the peer is about to be offered."""
        self._numbers += 1
        return self._numbers

    def tell(self, frame: WireRecord) -> None:
        """Tell the peer, as soon as a processor is free for that."""
        self._to_tell.append(frame)
        if not self._busy:
            self._busy = True
            self.kernel.spawn_thread(THREAD, self._run())

    async def order(self, name: str, channel: PortChannel | None = None, **words: Value) -> int:
        """Have the peer do something, and wait until it has: 0 or a negative errno.

        Raises NotOffered for what it cannot do.
        """
        if not self._talk.can(name):
            raise NotOffered(f"the guest cannot be ordered to {name}")
        self._requests += 1
        request = self._requests
        number = 0 if channel is None else channel.number
        self.tell(Order(request, ORDERS[name].number, number, 0, words_of(name, words)))
        await self.until(lambda: request in self._done, channel)
        done = self._done.pop(request)
        if done.status == DONE_NOT_SUPPORTED:
            raise NotOffered(text_of(done.text) or f"the guest cannot {name}")
        error = ERRNOS.get(done.status, -EIO)
        if error:
            self.kernel.emit(CommandFailed(name, error))
        return error

    async def until(self, happened: Callable[[], bool], channel: PortChannel | None) -> None:
        """Sleep until it has; a rescind of the channel is told meanwhile."""
        while not happened():
            deadline_ns = None if channel is None else self.kernel.now_ns() + LOOK_AGAIN_NS
            await ops.park(self.kernel, self.changed, deadline_ns=deadline_ns)
            if channel is not None:
                channel.tell_rescind()

    async def _run(self) -> None:
        while self._to_tell:
            while self._to_tell:
                self._talk.tell(self._to_tell.popleft())
            await self._settle()
        self._busy = False

    async def _settle(self) -> None:
        """Do what the peer says until it has nothing more to say."""
        self._talk.turn()
        answered = True
        while answered:
            answered = False
            pong = self._talk.ping()
            while (frame := self._talk.hear()) != pong:
                answer = await self._do(frame)
                ops.wake_all(self.kernel, self.changed)
                if answer is not None:
                    self._talk.tell(answer)
                    self._talk.go_on()
                    answered = True

    async def _do(self, frame: WireRecord) -> WireRecord | None:
        """Do what a frame asks for; what the peer waits for now."""
        doer = _DOERS.get(type(frame))
        if doer is None:
            raise unexpected(frame)
        return await doer(self, frame)

    def _channel(self, number: int) -> PortChannel:
        channel = self.channels.get(number)
        if channel is None:
            raise nonsense(f"there is no channel {number}")
        return channel

    async def opened(self, frame: Open) -> WireRecord:
        return await self._channel(frame.channel).open()

    async def closed(self, frame: Close) -> None:
        await self._channel(frame.channel).close()

    async def released(self, frame: Released) -> None:
        self._channel(frame.channel).release()

    async def packet(self, frame: PacketFrame) -> None:
        await self._channel(frame.channel).send(frame)

    async def mmio_read(self, frame: MmioRead) -> WireRecord:
        check_size(frame.size)
        value = self.kernel.mmio_read(frame.gpa, frame.size)
        await self._stand_still(self.kernel.port.take_read_hold())
        return MmioValue(frame.request, 0, value)

    async def mmio_write(self, frame: MmioWrite) -> WireRecord:
        check_size(frame.size)
        value = frame.value & (1 << 8 * frame.size) - 1
        await self.kernel.mmio_write(frame.gpa, frame.size, value)
        return MmioWritten(frame.request)

    async def hypercall(self, frame: Hypercall) -> WireRecord:
        vp = VpIndex(frame.vp)
        if vp not in [cpu.vp for cpu in self.kernel.cpus]:
            raise nonsense(f"it has no processor {vp}")
        result = HypercallResult(HV_STATUS_ACCESS_DENIED)
        if call_code(frame.control) not in VMBUS_CALLS:
            result = self.kernel.port.hypercall(vp, frame.control, frame.data)
        await self._stand_still(result.held_ns or self.kernel.port.take_read_hold())
        return HypercallDone(frame.request, 0, result.register, result.output)

    async def _stand_still(self, held_ns: int) -> None:
        """The host holds the CPU, if it does."""
        if held_ns:
            await ops.burn_ns(self.kernel, held_ns, "host holds the CPU")

    async def done(self, frame: Done) -> None:
        self._done[frame.request] = frame


_DOERS: Final[Mapping[type[WireRecord], Callable[[Desk, Any], Awaitable[WireRecord | None]]]] = {
    Open: Desk.opened,
    Close: Desk.closed,
    Released: Desk.released,
    PacketFrame: Desk.packet,
    MmioRead: Desk.mmio_read,
    MmioWrite: Desk.mmio_write,
    Hypercall: Desk.hypercall,
    Done: Desk.done,
}
