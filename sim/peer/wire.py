# SPDX-License-Identifier: MIT
"""Frames over two file descriptors, with time-outs. Knows no frame's meaning and no process.

Never waits without a bound but where it is asked to, and holds a bounded amount of what was said.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable
from typing import Final

from protocol.codec import WireRecord
from protocol.errors import WireFormatError
from protocol.peer_port import Unframer, encode
from sim.peer.fault import PeerFault, PeerLeft, nonsense
from sim.peer.limits import LIMITS, Limits

CHUNK_BYTES: Final = 1 << 16
POLL_S: Final = 0.2  # how soon Ctrl-C is seen by who waits for ever
Clock = Callable[[], float]  # seconds, of no particular beginning


def _no_more() -> str:
    return "it closed the connection"


class Wire:
    """One connection. ``fate`` says how the peer ended, once it is seen to have ended.

    ``has_stalled``: the peer let its time pass.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        *,
        limits: Limits = LIMITS,
        clock: Clock = time.monotonic,
        fate: Callable[[], str] = _no_more,
    ) -> None:
        """Reads from ``source`` and writes to ``sink``; they become non-blocking, and ours."""
        self.limits: Final = limits
        self.clock: Final = clock
        self._source, self._sink = source, sink
        self._fate = fate
        self.has_stalled = False
        self._unframer = Unframer()
        self._frames: deque[WireRecord] = deque()
        self._unread_bytes = 0
        for end in {source, sink}:
            os.set_blocking(end, False)

    def send(self, frame: WireRecord) -> None:
        """Send a frame. Raises PeerFault where the peer does not take it in time.

        That it is gone shows in :meth:`next`, behind what it may have said last.
        """
        left = memoryview(encode(frame))
        until_s = self.clock() + self.limits.answer_s
        while left:
            try:
                left = left[os.write(self._sink, left) :]
            except BlockingIOError:
                self._wait_for_room(until_s)
            except OSError:
                return

    def next(self, within_s: float | None) -> WireRecord | None:
        """The next frame; None if none comes in time. ``within_s`` None: however long it takes.

        Raises PeerFault for what is no frame, PeerLeft where nothing can come any more.
        """
        until_s = None if within_s is None else self.clock() + within_s
        while not self._frames:
            wait_s = POLL_S if until_s is None else max(0.0, until_s - self.clock())
            if not _ready(self._source, select.POLLIN, wait_s):
                if until_s is not None and self.clock() >= until_s:
                    return None
                continue
            self._take()
        self._unread_bytes = 0
        return self._frames.popleft()

    def stall(self, what: str) -> PeerFault:
        """The fault of a peer that has let its time pass."""
        self.has_stalled = True
        return PeerFault(f"the peer stalls: {what} for {self.limits.answer_s:g} s")

    def fileno(self) -> int:
        """Where to look whether the peer has said something; not all of it need be there."""
        return self._source

    def close(self) -> None:
        """Let go of the descriptors; once is enough."""
        for end in {self._source, self._sink} - {-1}:
            os.close(end)
        self._source = self._sink = -1

    def _take(self) -> None:
        """Read what is there."""
        try:
            data = os.read(self._source, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            within = " within a frame" if self._unframer.within_frame else ""
            raise PeerLeft(f"the peer died{within}: {self._fate()}")
        self._unread_bytes += len(data)
        try:
            self._frames.extend(self._unframer.feed(data))
        except WireFormatError as wrong:
            raise nonsense(str(wrong)) from None

    def _wait_for_room(self, until_s: float) -> None:
        """Wait until the peer takes more; it may first want to be heard."""
        wait_s = until_s - self.clock()
        if wait_s <= 0:
            raise self.stall("it took nothing")
        poller = select.poll()
        poller.register(self._sink, select.POLLOUT)
        poller.register(self._source, select.POLLIN | _room_too(self._source, self._sink))
        events = poller.poll(wait_s * 1000)
        if any(end == self._source and found & select.POLLIN for end, found in events):
            self._take()
        if self._unread_bytes > self.limits.unread_bytes:
            raise PeerFault(f"the peer floods: {self._unread_bytes} bytes before it took ours")


def _room_too(source: int, sink: int) -> int:
    """What else to wait for on the source where both are one socket."""
    return select.POLLOUT if source == sink else 0


def _ready(end: int, events: int, wait_s: float) -> bool:
    poller = select.poll()
    poller.register(end, events)
    return bool(poller.poll(wait_s * 1000))
