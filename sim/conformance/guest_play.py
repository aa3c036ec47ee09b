# SPDX-License-Identifier: MIT
"""Plays a guest's case: makes its scenario whole, has a world play it, hands over what was seen.

Knows which kinds of guest there are no more than a world does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from msgspec.structs import replace

from protocol.versions import vpci_dialect
from sim.actors import UnplayedStep
from sim.conformance.case import GuestCase, Nonconforming, NotOffered
from sim.conformance.seen import Seen
from sim.guests import Guests
from sim.result import RunResult, Verdict
from sim.scenario import Scenario, why_unplayable
from sim.scenario_reader import parse_scenario
from sim.summary import summarise
from sim.world import World

DEVICE: Final = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
"""


def scenario_of(case: GuestCase, version: str, profile: str) -> Scenario:
    """The whole scenario of a case at a version, against a host of that profile.

    A case whose scenario says what the guest offers or what the host accepts keeps that.
    Raises NotOffered where that host cannot play it.
    """
    head = f'name = "{case.id}"\nstory = """{case.given}; {case.when}."""\n'
    device = "" if "[[device]]" in case.scenario else DEVICE
    text = f"{head}{device}{case.scenario}"
    scenario = parse_scenario(text, source=f"case {case.id}", folder=Path())
    if "protocol" not in case.scenario:
        scenario = replace(scenario, guest=replace(scenario.guest, protocol=(version,)))
    return replace(scenario, host=replace(scenario.host, profile=profile))


def play_case(
    case: GuestCase, version: str, *, profile: str = "hyperv", guests: Guests | None = None
) -> tuple[Seen, Nonconforming | None]:
    """Play the case and check it: what was seen, and what was wrong with it.

    ``guests`` None: the reference model. Raises NotOffered where it cannot be played.
    """
    scenario = scenario_of(case, version, profile)
    driver = "model" if guests is None else guests.driver
    cannot = why_unplayable(scenario, protocol=version, profile=profile, driver=driver)
    if cannot:
        raise NotOffered(cannot)
    world = World(scenario, guests=guests)
    result, stopped = _played(world)
    seen = Seen(result, vpci_dialect(version))
    try:
        _check(case, seen, stopped)
    except Nonconforming as wrong:
        return seen, wrong
    return seen, None


def _played(world: World) -> tuple[RunResult, str | None]:
    """The run, and the step that the guest never let come true."""
    try:
        return summarise(world, world.run(), seed=0), None
    except UnplayedStep as never:
        return summarise(world, Verdict("clean", None, (), ()), seed=0), str(never)


def _check(case: GuestCase, seen: Seen, stopped: str | None) -> None:
    if stopped is not None:
        raise Nonconforming(stopped)
    violation = seen.result.violation
    if violation is not None:
        raise Nonconforming(f"{violation.kind}: {violation.message} ({violation.law})")
    case.check(seen)
