# SPDX-License-Identifier: MIT
"""``vpcisim conformance host``: what a vPCI host does against the protocol, case by case."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, choose
from sim.commands.conforming import (
    CaseIds,
    Connect,
    Files,
    Html,
    JUnit,
    Spawn,
    Strengths,
    Versions,
    WrongPeers,
    bound,
    check_alone,
    run_cases,
    selection,
    show,
    show_wrong_peers,
    stranger,
)
from sim.commands.playing import Profile
from sim.conformance.case import HostCase
from sim.conformance.outcome import BINDING, STRANGER, Outcome, Target
from sim.report.wrong_peers import WrongPeer
from sim.scenario_grammar import PROFILES

if TYPE_CHECKING:
    from sim.conformance.host_port import HostUnderTest
    from sim.peer.peers import Peers


class Peer(NamedTuple):
    """Who is tested, and how a fresh one is had for a case."""

    target: Target
    make: Callable[[HostCase, str], HostUnderTest]


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
    from sim.conformance.catalogue import HOST_THEMES  # brings the engine, as does this
    from sim.conformance.suite import run_host_case

    if wrong_peers:
        check_alone(profile, connect, spawn, protocol, case, strength, junit, html)
        return _show_wrong_hosts(as_json=as_json)
    if profile is not None:
        choose(profile, PROFILES, "profile")
    selected = selection(protocol, case, strength)
    with stranger(connect, spawn) as peers:
        peer = _ours(profile or "hyperv") if peers is None else _theirs(peers, profile)
        target = bound(peer.target, selected)

        def run(one: HostCase, version: str) -> Outcome:
            return run_host_case(one, version, target, peer.make)

        outcomes, interrupted = run_cases(HOST_THEMES, selected, run)
    files = Files(junit, html)
    return show(target, HOST_THEMES, outcomes, files, interrupted=interrupted, as_json=as_json)


def _show_wrong_hosts(*, as_json: bool) -> int:
    from sim.conformance.wrong_hosts import WRONG_HOSTS, caught

    peers = (WrongPeer(row.wrong.does, row.by) for row in caught())
    return show_wrong_peers("host", peers, len(WRONG_HOSTS), as_json=as_json)


def _ours(profile: str) -> Peer:
    from sim.conformance.own_host import hosts_of  # brings the host

    target = Target("host", f"our host, profile {profile}", profile, BINDING[profile])
    return Peer(target, hosts_of(profile))


def _theirs(peers: Peers, profile: str | None) -> Peer:
    from sim.peer.remote_host import hosts_of  # as above

    target = Target("host", peers.name, profile, BINDING[profile or STRANGER])
    return Peer(target, hosts_of(peers))
