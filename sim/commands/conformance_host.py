# SPDX-License-Identifier: MIT
"""``vpcisim conformance host``: what a vPCI host does against the protocol, case by case."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, choose
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
from sim.commands.playing import Profile
from sim.conformance.case import HostCase
from sim.conformance.outcome import BINDING, STRANGER, Target
from sim.report.wrong_peers import WrongPeer
from sim.scenario_grammar import PROFILES

if TYPE_CHECKING:
    from sim.peer.peers import Peers


def application() -> typer.Typer:
    return calling.application(conformance_host)


def conformance_host(
    profile: Profile = None,
    connect: Connect = None,
    spawn: Spawn = None,
    protocol: Versions = None,
    case: CaseIds = None,
    strength: Strengths = None,
    junit: JUnit = None,
    html: Html = None,
    wrong_peers: WrongPeers = False,
    as_json: AsJson = False,
) -> int:
    """Put a host to the suite: ours, in the profile named (hyperv by default), or somebody else's.

    Somebody else's is bound by what binds every host, and with --profile by that profile's rules.
    Exit status 1 if a case failed that binds it.

    Example: vpcisim conformance host --profile openvmm --protocol 1.4
    """
    from sim.conformance.catalogue import HOST_THEMES  # brings the engine

    if wrong_peers:
        check_alone(profile, connect, spawn, protocol, case, strength, junit, html)
        return _show_wrong_hosts(as_json=as_json)
    if profile is not None:
        choose(profile, PROFILES, "profile")
    selected = selection(protocol, case, strength)
    files = Files(junit, html).checked()
    with stranger(connect, spawn) as peers:
        peer = _ours(profile or "hyperv") if peers is None else _theirs(peers, profile)
        ran = run_cases(HOST_THEMES, selected, peer)
    return show(ran, files, as_json=as_json)


def _show_wrong_hosts(*, as_json: bool) -> int:
    from sim.conformance.wrong_hosts import WRONG_HOSTS, caught

    peers = (WrongPeer(row.wrong.does, row.by) for row in caught())
    return show_wrong_peers("host", peers, len(WRONG_HOSTS), as_json=as_json)


def _ours(profile: str) -> Peer[HostCase]:
    from sim.conformance.own_host import hosts_of  # brings the host
    from sim.conformance.suite import run_host_cases

    target = Target("host", f"our host, profile {profile}", profile, BINDING[profile])
    return Peer(target, partial(run_host_cases, make=hosts_of(profile)))


def _theirs(peers: Peers, profile: str | None) -> Peer[HostCase]:
    from sim.conformance.suite import run_host_cases  # as above
    from sim.peer.remote_host import hosts_of

    target = Target("host", peers.name, profile, BINDING[profile or STRANGER])
    return Peer(target, partial(run_host_cases, make=hosts_of(peers)))
