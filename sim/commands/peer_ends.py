# SPDX-License-Identifier: MIT
"""What the commands about peers share: where a guest comes from, and our host for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from sim.commands.calling import InputError, choose
from sim.scenario_grammar import PROFILES

if TYPE_CHECKING:
    from sim.conformance.own_host import OwnHost
    from sim.peer.wire import Wire

STDIO: Final = "stdio"
Listen: TypeAlias = Annotated[
    str,
    typer.Option(metavar="unix:PATH", help="A guest connects here; stdio: it is our parent."),
]


def hosts(profile: str | None) -> Callable[[str], OwnHost]:
    """Makes our host in that profile, by the name of what is on its bus."""
    name = choose(profile or "hyperv", PROFILES, "profile")
    from sim.conformance.own_host import OwnHost  # brings the host

    return lambda bus: OwnHost(name, bus, {})


@contextmanager
def guests(listen: str, lives: int | None) -> Iterator[Iterator[Wire]]:
    """The connections of guests, so many (None: without an end). Raises InputError."""
    from sim.peer import reach
    from sim.peer.fault import Unreachable

    try:
        if listen == STDIO:
            if sys.stdout.isatty():
                raise InputError("no guest is at a terminal; write --listen unix:PATH")
            yield iter((reach.own_stdio(),))
            return
        with reach.listening(listen) as wires:
            yield islice(wires, lives)
    except Unreachable as nobody:
        raise InputError(str(nobody)) from None
