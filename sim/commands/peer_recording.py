# SPDX-License-Identifier: MIT
"""What ``peer record`` does between its two ends: reaches them, and has pass what passes.

Knows no law and shows nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from sim.commands.calling import InputError
from sim.commands.peer_ends import guests, hosts
from sim.trace import Stamped

if TYPE_CHECKING:
    from sim.peer.reach import Way
    from sim.peer.wire import Wire


class Asked(NamedTuple):
    """Who is recorded, as the options of these names, and when it ends by itself."""

    listen: str | None
    spawn: str | None
    connect: str | None
    spawn_host: str | None
    profile: str | None
    idle_s: float | None


class Recorded(NamedTuple):
    """One life: who it was, what passed, and what was wrong with a peer."""

    guest: str
    host: str
    events: Sequence[Stamped]
    fault: str | None
    interrupted: bool


def recorded(asked: Asked) -> Recorded:
    """One life of a guest, with somebody else's host or with ours, until one of them leaves.

    Raises InputError where nobody is.
    """
    with (
        _guest(asked.listen, asked.spawn) as guest,
        _host(asked.connect, asked.spawn_host) as host,
    ):
        if host is None:
            return _with_ours(guest, asked.profile, asked.idle_s)
        return _between(guest, host, asked.idle_s)


@contextmanager
def _guest(listen: str | None, spawn: str | None) -> Iterator[Wire]:
    """The guest's end."""
    from sim.peer.reach import Spawned

    with ExitStack() as ends:
        if spawn is not None:
            yield ends.enter_context(_opened(Spawned(spawn)))
            return
        assert listen is not None, "one of the two was asked for"
        wires = ends.enter_context(guests(listen, 1))
        print(f"waiting for a guest at {listen}", file=sys.stderr)
        wire = next(wires)
        ends.callback(wire.close)
        yield wire


@contextmanager
def _host(connect: str | None, spawn: str | None) -> Iterator[Wire | None]:
    """The host's end; None where it is ours."""
    from sim.peer.reach import Connected, Spawned

    if connect is None and spawn is None:
        yield None
        return
    with _opened(Connected(connect) if connect is not None else Spawned(spawn or "")) as wire:
        yield wire


@contextmanager
def _opened(way: Way) -> Iterator[Wire]:
    """A connection, and nothing left of it. Raises InputError where nobody is."""
    from sim.peer.fault import Unreachable

    try:
        yield way.open()
    except Unreachable as nobody:
        raise InputError(str(nobody)) from None
    finally:
        way.close()


def _between(guest: Wire, host: Wire, idle_s: float | None) -> Recorded:
    from sim.peer.fault import PeerFault
    from sim.peer.relay import Relay

    relay = Relay(guest, host)
    fault, interrupted = None, False
    try:
        relay.run(idle_s)
    except PeerFault as wrong:
        fault = str(wrong)
    except KeyboardInterrupt:
        interrupted = True
    return Recorded(relay.guest, relay.host, relay.trace.events, fault, interrupted)


def _with_ours(guest: Wire, profile: str | None, idle_s: float | None) -> Recorded:
    from sim.peer.fault import PeerFault
    from sim.peer.host_server import HostServer

    name, events, fault, interrupted = "guest", list[Stamped](), None, False
    try:
        server = HostServer(guest, hosts(profile))
        name, events = server.guest, server.host.trace()
        server.serve(lambda: None, idle_s)
    except PeerFault as wrong:
        fault = str(wrong)
    except KeyboardInterrupt:
        interrupted = True
    return Recorded(name, f"our host, profile {profile or 'hyperv'}", events, fault, interrupted)
