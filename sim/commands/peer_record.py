# SPDX-License-Identifier: MIT
"""``vpcisim peer record``: what passes between a guest and a host, as a trace, with a verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.closing import many
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json, unwritable
from sim.commands.peer_ends import guests, hosts
from sim.commands.playing import Profile
from sim.messages import messages_of
from sim.oracles.judge import judge_trace
from sim.oracles.laws import WIRE_LAWS
from sim.report.lanes import print_lanes
from sim.trace import Stamped, write_trace
from sim.violation import Violation

if TYPE_CHECKING:
    from sim.peer.reach import Way
    from sim.peer.wire import Wire

DRIVER: Final = "peer"


class Recorded(NamedTuple):
    """One life: who it was, what passed, and what was wrong with a peer."""

    guest: str
    host: str
    events: Sequence[Stamped]
    fault: str | None
    interrupted: bool


def application() -> typer.Typer:
    return calling.application(peer_record)


def peer_record(
    trace: Annotated[
        Path, typer.Option(metavar="FILE", help="Write every event here, as JSON lines.")
    ],
    listen: Annotated[
        str | None, typer.Option(metavar="unix:PATH", help="The guest connects here.")
    ] = None,
    spawn: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="The guest: this command line starts it.")
    ] = None,
    connect: Annotated[
        str | None, typer.Option(metavar="unix:PATH", help="The host: behind this socket.")
    ] = None,
    spawn_host: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="The host: this command line starts it.")
    ] = None,
    profile: Profile = None,
    idle: Annotated[
        float | None,
        typer.Option(min=0, metavar="SECONDS", help="End when nothing passes for so long."),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Keep what passes between a guest and a host as a trace, and have the laws judge it.

    The guest is somebody else's (--listen or --spawn); the host, too (--connect or --spawn-host),
    or ours. It ends when one of them leaves, or with Ctrl-C. Exit status 1 if a law was broken or a
    peer did what none may do.

    Example: vpcisim peer record --spawn ./guest --idle 1 --trace guest.jsonl
    """
    _check((listen, spawn), (connect, spawn_host, profile), trace)
    with _guest(listen, spawn) as guest, _host(connect, spawn_host) as host:
        recorded = _with_ours(guest, profile, idle) if host is None else _between(guest, host, idle)
    violation = judge_trace(recorded.events, laws=WIRE_LAWS).violation
    try:
        write_trace(trace, _about(recorded, profile, violation), recorded.events)
    except OSError as error:
        raise unwritable(trace, error) from None
    _show(recorded, trace, violation, as_json=as_json)
    if violation is not None or recorded.fault is not None:
        return FOUND
    return INTERRUPTED if recorded.interrupted else OK


def _check(of_guest: Sequence[str | None], of_host: Sequence[str | None], trace: Path) -> None:
    """Refuse what cannot be recorded, before somebody has talked for an hour."""
    if len(of_guest) - of_guest.count(None) != 1:
        raise InputError("a guest is wanted; write either --listen unix:PATH or --spawn COMMAND")
    if len(of_host) - of_host.count(None) > 1:
        raise InputError("--connect, --spawn-host and --profile name several hosts; keep one")
    if not trace.parent.is_dir():
        raise InputError(f"{trace}: there is no such folder; make it, or name another file")


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


def _about(
    recorded: Recorded, profile: str | None, violation: Violation | None
) -> dict[str, object]:
    """The first line of the trace."""
    return {
        "scenario": f"{recorded.guest} and {recorded.host}",
        "driver": DRIVER,
        "seed": 0,
        "profile": profile,
        "verdict": _verdict(violation),
    }


def _verdict(violation: Violation | None) -> str:
    return "clean" if violation is None else "violation"


def _show(recorded: Recorded, trace: Path, violation: Violation | None, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "guest": recorded.guest,
            "host": recorded.host,
            "events": len(recorded.events),
            "messages": list(messages_of(recorded.events)),
            "verdict": _verdict(violation),
            "violation": violation,
            "fault": recorded.fault,
            "trace": str(trace),
        }
        print_json(document)
        return
    print_lanes(recorded.events, sys.stdout)
    print(
        f"\n{recorded.guest} and {recorded.host}: {many(len(recorded.events), 'event')} in {trace}"
    )
    if recorded.fault is not None:
        print(f"fault    {recorded.fault}")
    if violation is not None:
        told = f"{violation.kind} in {violation.context}: {violation.message}"
        print(f"violation {told} ({violation.law})")
    print(f"verdict  {_verdict(violation)}")
