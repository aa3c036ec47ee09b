# SPDX-License-Identifier: MIT
"""``vpcisim conformance guest``: what a vPCI guest driver does against the protocol."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, InputError, choose
from sim.commands.conformed import Files, show, show_wrong_peers
from sim.commands.conforming import (
    CaseIds,
    Connect,
    Html,
    JUnit,
    Peer,
    Spawn,
    Strengths,
    Versions,
    WrongPeers,
    check_alone,
    run_cases,
    selection,
    stranger,
)
from sim.commands.driver_choice import DataRaces, Driver, DriverChoice, DriverFile, Tree
from sim.commands.playing import Profile
from sim.conformance.case import GuestCase
from sim.conformance.outcome import BINDING, STRANGER, Target
from sim.report.wrong_peers import WrongPeer
from sim.scenario_grammar import PROFILES

if TYPE_CHECKING:
    from sim.peer.peers import Peers

PEERS: Final = {"model": "the reference guest", "kernel": "the real driver"}


def application() -> typer.Typer:
    return calling.application(conformance_guest)


def conformance_guest(
    profile: Profile = None,
    connect: Connect = None,
    spawn: Spawn = None,
    protocol: Versions = None,
    case: CaseIds = None,
    strength: Strengths = None,
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    data_races: DataRaces = False,
    junit: JUnit = None,
    html: Html = None,
    wrong_peers: WrongPeers = False,
    as_json: AsJson = False,
) -> int:
    """Put a guest driver to the suite: the reference model, the real one out of a tree, yours.

    A host of the profile named (hyperv by default) stands opposite it. Somebody else's guest is
    bound by what binds every guest. Exit status 1 if a case failed that binds it.

    Example: vpcisim conformance guest --protocol 1.4 --junit guest.xml
    """
    from sim.conformance.catalogue import GUEST_THEMES  # brings the engine

    if wrong_peers:
        check_alone(
            profile, connect, spawn, protocol, case, strength, tree, driver_file, junit, html
        )
        return _show_wrong_guests(as_json=as_json)
    choice = DriverChoice(driver, tree, driver_file, data_races).checked()
    opposite = choose(profile or "hyperv", PROFILES, "profile")
    selected = selection(protocol, case, strength)
    files = Files(junit, html).checked()
    with stranger(connect, spawn) as peers:
        peer = _ours(choice, opposite) if peers is None else _theirs(peers, choice, opposite)
        ran = run_cases(GUEST_THEMES, selected, peer)
    return show(ran, files, as_json=as_json)


def _show_wrong_guests(*, as_json: bool) -> int:
    from sim.conformance.wrong_guests.catalogue import WRONG_GUESTS, rows

    peers = (WrongPeer(row.does, row.caught_by) for row in rows())
    return show_wrong_peers("guest", peers, len(WRONG_GUESTS), as_json=as_json)


def _ours(choice: DriverChoice, opposite: str) -> Peer[GuestCase]:
    from sim.conformance.suite import run_guest_cases_together  # brings the engine

    target = Target("guest", PEERS[choice.name], opposite, BINDING["guest"])
    return Peer(target, partial(run_guest_cases_together, guests=choice.guests()))


def _theirs(peers: Peers, choice: DriverChoice, opposite: str) -> Peer[GuestCase]:
    if choice != DriverChoice():
        raise InputError("--driver names a guest of ours; leave it out, or the other peer")
    from sim.conformance.suite import run_guest_cases  # brings the engine
    from sim.peer.remote_guest import RemoteGuests  # sockets and processes

    target = Target("guest", peers.name, opposite, BINDING[STRANGER])
    return Peer(target, partial(run_guest_cases, guests=RemoteGuests(peers)))
