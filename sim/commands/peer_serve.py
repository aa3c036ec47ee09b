# SPDX-License-Identifier: MIT
"""``vpcisim peer serve``: our host at the peer port, for guests in other processes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.closing import many
from sim.commands import calling
from sim.commands.calling import AsJson, print_json
from sim.commands.peer_ends import STDIO, Listen, guests, hosts
from sim.commands.playing import Profile
from sim.report.live_lanes import LiveLanes

if TYPE_CHECKING:
    from collections.abc import Callable

    from sim.conformance.own_host import OwnHost
    from sim.peer.wire import Wire


def application() -> typer.Typer:
    return calling.application(peer_serve)


def peer_serve(
    profile: Profile = None,
    listen: Listen = STDIO,
    lives: Annotated[
        int | None, typer.Option(min=1, help="End after so many guests; else with Ctrl-C.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Offer our host, in the profile named (hyperv by default), to guests in other processes.

    Each connection is one guest's life, shown as lanes while it lasts. docs/peer-port.md says what
    passes over it. Exit status 1 if a guest did what none may do.

    Example: vpcisim peer serve --profile hyperv --listen unix:host.sock
    """
    make = hosts(profile)
    out = sys.stderr if listen == STDIO or as_json else sys.stdout
    told: list[dict[str, Any]] = []
    status = OK
    try:
        with guests(listen, lives) as wires:
            if listen != STDIO:
                print(f"waiting for a guest at {listen}; Ctrl-C ends", file=sys.stderr)
            told.extend(_serve(wire, make, out) for wire in wires)
    except KeyboardInterrupt:
        status = INTERRUPTED
    if any(one["fault"] for one in told):
        status = FOUND
    if as_json and listen != STDIO:
        print_json({"profile": profile or "hyperv", "lives": told})
    return status


def _serve(wire: Wire, make: Callable[[str], OwnHost], out: TextIO) -> dict[str, Any]:
    """One life; what is to be said of it."""
    from sim.peer.fault import PeerFault
    from sim.peer.host_server import HostServer

    guest, events, fault = "", 0, None
    lanes = LiveLanes(out)
    shows = out is sys.stdout or out.isatty()
    try:
        server = HostServer(wire, make)
        guest = server.guest
        try:
            server.serve(lambda: lanes.show(server.host.trace()) if shows else None)
        finally:
            events = len(server.host.trace())
    except PeerFault as wrong:
        fault = str(wrong)
    finally:
        wire.close()
    if shows or fault is not None:
        where = out if shows else sys.stderr
        print(
            f"{guest or 'a guest'} left: {fault or many(events, 'event')}", file=where, flush=True
        )
    return {"guest": guest, "events": events, "fault": fault}
