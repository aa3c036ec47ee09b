# SPDX-License-Identifier: MIT
"""``vpcisim conformance host``: what a vPCI host does against the protocol, case by case."""

from __future__ import annotations

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, choose
from sim.commands.conforming import (
    CaseIds,
    Files,
    Html,
    JUnit,
    Strengths,
    Versions,
    bound,
    run_cases,
    selection,
    show,
)
from sim.commands.playing import Profile
from sim.conformance.case import HostCase
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.scenario_grammar import PROFILES


def application() -> typer.Typer:
    return calling.application(conformance_host)


def conformance_host(
    profile: Profile = None,
    protocol: Versions = None,
    case: CaseIds = None,
    strength: Strengths = None,
    junit: JUnit = None,
    html: Html = None,
    as_json: AsJson = False,
) -> int:
    """Put a host to the suite: ours, in the profile named (hyperv by default).

    Exit status 1 if a case failed that binds it.

    Example: vpcisim conformance host --profile openvmm --protocol 1.4
    """
    from sim.conformance.catalogue import HOST_THEMES  # brings the engine, as do these
    from sim.conformance.own_host import OwnHost
    from sim.conformance.suite import run_host_case

    name = choose(profile or "hyperv", PROFILES, "profile")
    selected = selection(protocol, case, strength)
    target = bound(Target("host", f"our host, profile {name}", name, BINDING[name]), selected)

    def fresh(one: HostCase, _version: str) -> OwnHost:
        return OwnHost(name, one.bus, {})

    def run(one: HostCase, version: str) -> Outcome:
        return run_host_case(one, version, target, fresh)

    outcomes, interrupted = run_cases(HOST_THEMES, selected, run)
    files = Files(junit, html)
    return show(target, HOST_THEMES, outcomes, files, interrupted=interrupted, as_json=as_json)
