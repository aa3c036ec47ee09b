# SPDX-License-Identifier: MIT
"""``vpcisim peer record``: what passes between a guest and a host, as a trace, with a verdict."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.closing import many
from sim.commands import calling
from sim.commands.calling import AsJson, InputError, check_file, print_json, unwritable
from sim.commands.peer_recording import Asked, Recorded, recorded
from sim.commands.playing import Profile
from sim.messages import messages_of
from sim.oracles.judge import judge_trace
from sim.oracles.laws import WIRE_LAWS
from sim.report.lanes import print_lanes
from sim.trace import write_trace
from sim.violation import Violation

DRIVER: Final = "peer"

TraceFile: TypeAlias = Annotated[
    Path,
    typer.Option("--trace", metavar="FILE", help="Write every event here, as JSON lines."),
]
Listen: TypeAlias = Annotated[
    str | None, typer.Option(metavar="unix:PATH", help="The guest connects here.")
]
Spawn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COMMAND", help="The guest: this command line starts it.")
]
Connect: TypeAlias = Annotated[
    str | None, typer.Option(metavar="unix:PATH", help="The host: behind this socket.")
]
SpawnHost: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COMMAND", help="The host: this command line starts it.")
]
Idle: TypeAlias = Annotated[
    float | None,
    typer.Option(min=0, metavar="SECONDS", help="End when nothing passes for so long."),
]


def application() -> typer.Typer:
    return calling.application(peer_record)


def peer_record(
    trace: TraceFile,
    listen: Listen = None,
    spawn: Spawn = None,
    connect: Connect = None,
    spawn_host: SpawnHost = None,
    profile: Profile = None,
    idle: Idle = None,
    as_json: AsJson = False,
) -> int:
    """Keep what passes between a guest and a host as a trace, and have the laws judge it.

    The guest is somebody else's (--listen or --spawn); the host, too (--connect or --spawn-host),
    or ours. It ends when one of them leaves, or with Ctrl-C. Exit status 1 if a law was broken or a
    peer did what none may do.

    Example: vpcisim peer record --spawn ./guest --idle 1 --trace guest.jsonl
    """
    _check((listen, spawn), (connect, spawn_host, profile), trace)
    life = recorded(Asked(listen, spawn, connect, spawn_host, profile, idle))
    violation = judge_trace(life.events, laws=WIRE_LAWS).violation
    try:
        write_trace(trace, _about(life, profile, violation), life.events)
    except OSError as error:
        raise unwritable(trace, error) from None
    _show(life, trace, violation, as_json=as_json)
    if violation is not None or life.fault is not None:
        return FOUND
    return INTERRUPTED if life.interrupted else OK


def _check(of_guest: Sequence[str | None], of_host: Sequence[str | None], trace: Path) -> None:
    """Refuse what cannot be recorded, before somebody has talked for an hour."""
    if len(of_guest) - of_guest.count(None) != 1:
        raise InputError("a guest is wanted; write either --listen unix:PATH or --spawn COMMAND")
    if len(of_host) - of_host.count(None) > 1:
        raise InputError("--connect, --spawn-host and --profile name several hosts; keep one")
    check_file(trace)


def _about(life: Recorded, profile: str | None, violation: Violation | None) -> dict[str, object]:
    """The first line of the trace."""
    return {
        "scenario": f"{life.guest} and {life.host}",
        "driver": DRIVER,
        "seed": 0,
        "profile": profile,
        "verdict": _verdict(violation),
    }


def _verdict(violation: Violation | None) -> str:
    return "clean" if violation is None else "violation"


def _show(life: Recorded, trace: Path, violation: Violation | None, *, as_json: bool) -> None:
    if as_json:
        document: dict[str, Any] = {
            "guest": life.guest,
            "host": life.host,
            "events": len(life.events),
            "messages": list(messages_of(life.events)),
            "verdict": _verdict(violation),
            "violation": violation,
            "fault": life.fault,
            "trace": str(trace),
        }
        print_json(document)
        return
    print_lanes(life.events, sys.stdout)
    print(f"\n{life.guest} and {life.host}: {many(len(life.events), 'event')} in {trace}")
    if life.fault is not None:
        print(f"fault    {life.fault}")
    if violation is not None:
        told = f"{violation.kind} in {violation.context}: {violation.message}"
        print(f"violation {told} ({violation.law})")
    print(f"verdict  {_verdict(violation)}")
