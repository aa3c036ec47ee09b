# SPDX-License-Identifier: MIT
"""Playing scenarios on the real driver, for tests: natural order, with one fault at most."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from guest.events import FunctionReturned
from guest.native.build import Build
from guest.native.library import Library
from sim.actors import NeverHappened
from sim.choices import FAULT_PREFIX, Option
from sim.guests import Guests, NativeGuests
from sim.messages import messages_of
from sim.result import Verdict
from sim.scenario import drivers_of
from sim.scenario_options import with_faults, with_options, with_whole_offer
from sim.scenario_reader import built_in_names, find_scenario, load_scenario, parse_scenario
from sim.setup import Lab, read_setup
from sim.world import World

PROBE = re.compile(r"static int hv_pci_probe\([^{]*\{")
PLAYABLE = [name for name in built_in_names() if "kernel" in drivers_of(load_scenario(name))]


class Story(NamedTuple):
    """What a user is told of a run. ``verdict`` is empty if the scenario's steps never come."""

    verdict: str
    known: tuple[str, ...]
    messages: list[tuple[str, ...]]


def story(name: str, guests: Guests | None) -> Story:
    """A built-in scenario in natural order, with the reference guest if ``guests`` is None."""
    world = World(with_whole_offer(load_scenario(name)), guests=guests)
    try:
        verdict = world.run()
    except NeverHappened:
        return Story("", (), [])
    messages: list[tuple[str, ...]] = [
        (each.direction, each.name) for each in messages_of(world.trace())
    ]
    return Story(verdict.verdict, tuple(sorted(verdict.known)), messages)


class Fate:
    """Natural order, but that one fault happens whenever it can at that place."""

    def __init__(self, fault: str, at: str) -> None:
        self._wanted = (FAULT_PREFIX + fault, at)

    def choose(self, options: Sequence[Option]) -> int:
        names = [(option.name, option.at) for option in options]
        return names.index(self._wanted) if self._wanted in names else 0


def played(
    library: Library | None,
    name: str,
    *faults: str,
    fate: Fate | None = None,
    protocol: str | None = None,
) -> tuple[World, Verdict]:
    """A built-in scenario, to its end; without a library on the reference guest."""
    text = find_scenario(name).read_text(encoding="utf-8")
    scenario = with_faults(parse_scenario(text, source=name, folder=Path()), faults)
    scenario = with_options(scenario, protocol=protocol, profile=None, device=None)
    guests = None if library is None else NativeGuests(lambda: library)
    world = World(scenario, guests=guests, chooser=fate, lates=0)
    return world, world.run()


def events(world: World) -> list[object]:
    """What has happened."""
    return [stamped.event for stamped in world.trace()]


def returned(world: World, function: str) -> list[int]:
    """The errnos that a function of the driver returned, in order."""
    found = (event for event in events(world) if isinstance(event, FunctionReturned))
    return [event.errno for event in found if event.function == function]


def needing(statements: str, built: Build, folder: Path, *, before: str = "") -> Lab:
    """A lab for a copy of the driver whose probe begins with these statements.

    ``before`` stands before the function.
    """
    text = built.driver_file.read_text()
    probe = PROBE.search(text)
    assert probe is not None
    changed = folder / "pci-hyperv.c"
    parts = (text[: probe.start()], before, probe.group(), statements, text[probe.end() :])
    changed.write_text("\n".join(parts))
    setup = msgspec.structs.replace(
        read_setup("arrival"), driver="kernel", tree=str(built.tree), driver_file=str(changed)
    )
    return Lab(setup)
