# SPDX-License-Identifier: MIT
"""Two ends of a connection in one process, and peers that are fakes at the far one."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread

from sim.peer.limits import Limits
from sim.peer.wire import Wire

AT_ONCE = Limits(answer_s=0.0, end_s=0.0, connect_s=0.0, frames=100, unread_bytes=1 << 20)
PATIENT = Limits(answer_s=60.0, end_s=10.0, frames=1000)


def ends() -> tuple[int, int]:
    """Two descriptors of a connection."""
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


@contextmanager
def wire_and_end(limits: Limits = AT_ONCE) -> Iterator[tuple[Wire, int]]:
    """Our wire, and the descriptor at the other end of it."""
    ours, theirs = ends()
    wire = Wire(ours, ours, limits=limits)
    try:
        yield wire, theirs
    finally:
        wire.close()
        with suppress(OSError):  # the fake has closed it, as some do
            os.close(theirs)


class InThread:
    """A way to peers that are functions of their wire, each run in a thread."""

    name = "a thread"

    def __init__(self, peer: Callable[[Wire], object]) -> None:
        self._peer = peer
        self._wire: Wire | None = None
        self._thread: Thread | None = None

    def open(self) -> Wire:
        ours, theirs = ends()
        self._thread = Thread(target=self._run, args=(Wire(theirs, theirs, limits=PATIENT),))
        self._thread.start()
        self._wire = Wire(ours, ours, limits=PATIENT)
        return self._wire

    def _run(self, wire: Wire) -> None:
        try:
            self._peer(wire)
        finally:
            wire.close()

    def close(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None
        if self._thread is not None:
            self._thread.join()
            self._thread = None
