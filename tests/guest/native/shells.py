# SPDX-License-Identifier: MIT
"""Stories of somebody at a shell, for tests: told by either guest in the same words."""

from __future__ import annotations

from pathlib import Path

from guest.native.library import Library
from sim.choices import Chooser
from sim.guests import NativeGuests
from sim.result import RunResult
from sim.scenario import Scenario
from sim.scenario_reader import parse_scenario
from sim.summary import summarise
from sim.world import World

ONE_DEVICE = """
[[device]]
name = "nvme0"
profile = "nvme-ssd"
driver = "nvme"
"""


def story(commands: str, *, devices: str = ONE_DEVICE, vcpus: int = 2, more: str = "") -> Scenario:
    """A device is offered; once its driver is bound, a user gives these commands."""
    text = f"""
name = "at-the-shell"
story = "Somebody is at a shell."
[guest]
vcpus = {vcpus}
{devices}
[[actor]]
name = "administrator"
steps = [{{ do = "offer", device = "nvme0" }}]
[[actor]]
name = "user"
steps = [{{ wait = "driver-bound", device = "nvme0" }}, {commands}]
{more}
[expect]
known = ["O9"]
"""
    return parse_scenario(text, source="at-the-shell.toml", folder=Path())


def told(
    scenario: Scenario, library: Library | None = None, chooser: Chooser | None = None
) -> RunResult:
    """The story as the real driver of a library tells it; without one, as the model does."""
    guests = None if library is None else NativeGuests(lambda: library)
    world = World(scenario, guests=guests, chooser=chooser, lates=0)
    return summarise(world, world.run(), 0)


def errors(result: RunResult) -> list[tuple[str, int]]:
    """What the kernel refused, in order."""
    return [(error.function, error.errno) for error in result.errors]


def names(result: RunResult) -> list[str]:
    """The kinds of what happened, in order."""
    return [type(stamped.event).__name__ for stamped in result.trace]
