# SPDX-License-Identifier: MIT
"""Passes frames between a guest and a host in other processes, and keeps what passed.

Changes nothing and answers nothing. Knows no process.
"""

from __future__ import annotations

import select
from typing import Final, NamedTuple

from protocol.link import Direction
from protocol.peer_port import ROLE_GUEST, ROLE_HOST, Bye, Hello
from sim.peer.fault import PeerFault, PeerLeft
from sim.peer.limits import EVENTS_MAX
from sim.peer.port_trace import PortTrace
from sim.peer.text import text_of
from sim.peer.wire import POLL_S, Wire


class _Way(NamedTuple):
    source: Wire
    sink: Wire
    direction: Direction
    role: int


class Relay:
    """One life."""

    def __init__(self, guest: Wire, host: Wire) -> None:
        self._clock: Final = guest.clock
        start_s = guest.clock()
        self.trace: Final = PortTrace(lambda: round((self._clock() - start_s) * 1e9))
        self._names: dict[int, str] = {}
        self._passed_s = start_s
        self._ways = (
            _Way(guest, host, "guest-to-host", ROLE_GUEST),
            _Way(host, guest, "host-to-guest", ROLE_HOST),
        )

    @property
    def guest(self) -> str:
        """The name that the guest gave itself."""
        return self._names.get(ROLE_GUEST, "guest")

    @property
    def host(self) -> str:
        """The name that the host gave itself."""
        return self._names.get(ROLE_HOST, "host")

    def run(self, idle_s: float | None = None) -> None:
        """Until one of them leaves, or both say nothing for so long; the others are told.

        Raises PeerFault for what none may do, which is also to leave before both have said HELLO.
        """
        poller = select.poll()
        for way in self._ways:
            poller.register(way.source, select.POLLIN)
        try:
            while len(self.trace.events) < EVENTS_MAX:
                for way in self._ways:
                    self._pass(way)
                poller.poll(POLL_S * 1000)
                if idle_s is not None and self._clock() - self._passed_s > idle_s:
                    return
            raise PeerFault("the peer floods: this life is too long for one trace")
        except PeerLeft:
            if len(self._names) < len(self._ways):
                raise  # there was no life that it could leave
        finally:
            for way in self._ways:
                way.sink.send(Bye())

    def _pass(self, way: _Way) -> None:
        """Pass on what there is."""
        while (frame := way.source.next(0)) is not None:
            if isinstance(frame, Hello):
                self._greeted(way, frame)
            if isinstance(frame, Bye):
                raise PeerLeft("the peer died: it said BYE")
            self.trace.passed(frame, way.direction)
            self._passed_s = self._clock()
            way.sink.send(frame)

    def _greeted(self, way: _Way, hello: Hello) -> None:
        name = text_of(hello.name)
        if hello.role != way.role:
            wanted = "guest" if way.role == ROLE_GUEST else "host"
            raise PeerFault(f"a {wanted} is wanted where {name!r} is")
        self._names[way.role] = name
