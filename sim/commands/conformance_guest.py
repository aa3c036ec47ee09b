# SPDX-License-Identifier: MIT
"""``vpcisim conformance guest``: what a vPCI guest driver does against the protocol."""

from __future__ import annotations

from typing import Final

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
from sim.commands.driver_choice import DataRaces, Driver, DriverChoice, DriverFile, Tree
from sim.commands.playing import Profile
from sim.conformance.case import GuestCase
from sim.conformance.outcome import BINDING, Outcome, Target
from sim.scenario_grammar import PROFILES

PEERS: Final = {"model": "the reference guest", "kernel": "the real driver"}


def application() -> typer.Typer:
    return calling.application(conformance_guest)


def conformance_guest(
    profile: Profile = None,
    protocol: Versions = None,
    case: CaseIds = None,
    strength: Strengths = None,
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    data_races: DataRaces = False,
    junit: JUnit = None,
    html: Html = None,
    as_json: AsJson = False,
) -> int:
    """Put a guest driver to the suite: the reference model, or the real one out of a tree.

    Exit status 1 if a case failed that binds it.

    Example: vpcisim conformance guest --protocol 1.4 --junit guest.xml
    """
    from sim.conformance.catalogue import GUEST_THEMES  # brings the engine, as does this
    from sim.conformance.suite import run_guest_case

    choice = DriverChoice(driver, tree, driver_file, data_races).checked()
    name = choose(profile or "hyperv", PROFILES, "profile")
    selected = selection(protocol, case, strength)
    guests = choice.guests()
    target = bound(Target("guest", PEERS[driver], name, BINDING["guest"]), selected)

    def run(one: GuestCase, version: str) -> Outcome:
        return run_guest_case(one, version, target, guests)

    outcomes, interrupted = run_cases(GUEST_THEMES, selected, run)
    files = Files(junit, html)
    return show(target, GUEST_THEMES, outcomes, files, interrupted=interrupted, as_json=as_json)
