# SPDX-License-Identifier: MIT
"""Plays a guest's case: makes its scenario whole, has a world play it, hands over what was seen.

Knows which kinds of guest there are no more than a world does.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

from msgspec.structs import replace

from protocol.versions import vpci_dialect
from sim.actors import NeverHappened, StepRefused, UnplayedStep
from sim.conformance.case import GuestCase, Nonconforming, NotOffered
from sim.conformance.guest_cases.scenarios import ARRIVAL
from sim.conformance.ring_looks import RingLooks
from sim.conformance.seen import Seen
from sim.guests import Guests
from sim.peer.fault import PeerFault
from sim.result import RunResult, Verdict
from sim.scenario import Scenario, Wait, why_unplayable
from sim.scenario_grammar import PROTOCOLS
from sim.scenario_reader import parse_scenario
from sim.summary import summarise
from sim.world import World

DEVICE: Final = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
"""


GOT_AS_FAR_AS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "channel-opened": "opening the channel",
        "version-agreed": "agreeing on a version",
        "bus-relations-sent": "asking for the list of functions",
        "resources-assigned": "assigning resources",
        "channel-closed": "closing the channel",
    }
)
"""What a guest has done when an event of the host has happened that a case waits for."""

OUR_END: Final = ("peer",)  # drivers in another process, whose guest's VMBus is played here

# What ends a guest: the rest of what a run can be blamed for is no case's business here, since the
# laws and the leaks are read off a guest's inside, and a guest may wait for a silent host for ever.
NOT_FATAL: Final = frozenset({"hang", "leak", "lost-interrupt", "lost-device"})


def scenario_of(case: GuestCase, version: str, profile: str) -> Scenario:
    """The whole scenario of a case at a version, against a host of that profile."""
    head = f'name = "{case.id}"\nstory = """{case.given}; {case.when}."""\n'
    device = "" if "[[device]]" in case.scenario else DEVICE
    text = f"{head}{device}{case.scenario}"
    scenario = parse_scenario(text, source=f"case {case.id}", folder=Path())
    offered: tuple[str, ...] = (version,)
    if case.offers == "up-to":
        offered = PROTOCOLS[PROTOCOLS.index(version) :]  # highest first
    return replace(
        scenario,
        guest=replace(scenario.guest, protocol=offered),
        host=replace(scenario.host, profile=profile),
    )


class Played(NamedTuple):
    """A case's scenario, played: what was seen, and the step that the guest let come to nothing."""

    seen: Seen
    stopped: str | None


def play(
    case: GuestCase, version: str, *, profile: str = "hyperv", guests: Guests | None = None
) -> Played:
    """Play the case's scenario. ``guests`` None: to the reference model.

    Raises NotOffered where it cannot be, and PeerFault with the trace so far for a guest in another
    process that does what none may.
    """
    scenario = scenario_of(case, version, profile)
    driver = "model" if guests is None else guests.driver
    cannot = why_unplayable(scenario, protocol=version, profile=profile, driver=driver)
    if cannot:
        raise NotOffered(cannot)
    if case.about == "vmbus" and driver in OUR_END:
        raise NotOffered("behind the port VMBus and the rings are vpcisim's own")
    if guests is not None and case.offers == "up-to":
        _check_offer(scenario, guests)
    looks = RingLooks()
    world = World(scenario, guests=guests, laws=(), look=looks)
    result, stopped = _played(world)
    return Played(Seen(result, vpci_dialect(version), looks.taken(world)), stopped)


def comes_up(case: GuestCase, version: str, *, profile: str, guests: Guests | None) -> bool:
    """Whether such guests come up with one function and a host that does as usual.

    Asked because of the case, which lends its name. Raises PeerFault as :func:`play` does.
    """
    plain = scenario_of(replace(case, scenario=ARRIVAL, offers="one"), version, profile)
    return _played(World(plain, guests=guests, laws=()))[1] is None


def judged(case: GuestCase, played: Played) -> Nonconforming | None:
    """What is wrong with a run of the case's scenario, or None.

    Raises NotOffered where the run did not come to what the case is about.
    """
    try:
        _check(case, played)
    except Nonconforming as wrong:
        return wrong
    return None


def _check_offer(scenario: Scenario, guests: Guests) -> None:
    """Raises NotOffered for a guest that offers other versions than it is to."""
    asked, offered = (one.guest.protocol for one in (scenario, guests.playable(scenario)))
    if asked != offered:
        raise NotOffered(f"it offers {', '.join(offered)} and cannot be told otherwise")


def _played(world: World) -> tuple[RunResult, str | None]:
    """The run, and the step that the guest never let come true."""
    try:
        result = summarise(world, world.run(), seed=0)
        return result, None if _is_fatal(result) else _never_came(world)
    except UnplayedStep as never:
        return summarise(world, Verdict("clean", None, (), ()), seed=0), _told(never)
    except PeerFault as fault:
        fault.trace = world.trace()
        raise


def _is_fatal(result: RunResult) -> bool:
    return result.violation is not None and result.violation.kind not in NOT_FATAL


def _never_came(world: World) -> str | None:
    """What somebody still waits for after a run that ended in a hang or the like."""
    waits = (actor.at for actor in world.actors if isinstance(actor.at, Wait))
    return next((_behind(wait.event) for wait in waits), None)


def _told(never: UnplayedStep) -> str:
    """In a sentence about the guest: nobody here writes scenarios."""
    if isinstance(never, NeverHappened):
        return _behind(never.event)
    assert isinstance(never, StepRefused), "there is no other"
    return f"the {never.step.side} could not {never.step.verb}: {never.why}"


def _behind(event: str) -> str:
    return f"the guest never got as far as {GOT_AS_FAR_AS.get(event, event)}"


def _check(case: GuestCase, played: Played) -> None:
    violation = played.seen.result.violation
    if violation is not None and _is_fatal(played.seen.result):
        raise Nonconforming(f"{violation.kind}: {violation.message} ({violation.law})")
    if played.stopped is not None:
        raise Nonconforming(played.stopped)
    case.check(played.seen)
