# SPDX-License-Identifier: MIT
"""What ``run`` and ``lspci`` share: from a scenario's name and options to a finished run.

Knows what is refused; how it is played is ``sim/world.py``'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from host.devices.problems import DeviceFileError
from sim.commands.calling import FoundError, InputError, choose
from sim.commands.driver_choice import DriverChoice
from sim.report.lspci import SeenFunction
from sim.result import RunResult
from sim.scenario import Scenario, ScenarioError, why_unplayable
from sim.scenario_grammar import PROFILES, PROTOCOLS
from sim.scenario_options import with_options
from sim.scenario_reader import load_scenario

if TYPE_CHECKING:
    from sim.world import World

MODEL: Final = DriverChoice()

ScenarioName: TypeAlias = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A built-in's name, or a TOML file.")
]
Protocol: TypeAlias = Annotated[
    str | None, typer.Option(metavar="V", help="The only vPCI version the guest offers.")
]
Profile: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Whose behaviour the host has.")
]
Device: TypeAlias = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A capture or profile file in place of the devices."),
]
Laws: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Judge by this file's laws, too; may be repeated."),
]


def prepared(
    name: str,
    *,
    protocol: str | None,
    profile: str | None,
    device: Path | None,
    driver: DriverChoice,
) -> Scenario:
    """The scenario with the options applied. Raises InputError for what cannot be played."""
    driver.checked()
    try:
        scenario = load_scenario(name)
    except ScenarioError as error:
        raise InputError(str(error)) from None
    return fitted(scenario, protocol=protocol, profile=profile, device=device, driver=driver.name)


def fitted(
    scenario: Scenario,
    *,
    protocol: str | None,
    profile: str | None,
    device: Path | None,
    driver: str,
) -> Scenario:
    """A scenario that was read, with the options applied. Raises InputError as ``prepared`` does;
    a wrong protocol or profile is told before what cannot be played."""
    if protocol is not None:
        choose(protocol, PROTOCOLS, "protocol")
    if profile is not None:
        choose(profile, PROFILES, "profile")
    scenario = with_options(scenario, protocol=protocol, profile=profile, device=device)
    reason = why_unplayable(
        scenario,
        protocol=protocol or scenario.guest.protocol[0],
        profile=scenario.host.profile,
        driver=driver,
    )
    if reason:
        raise InputError(f"{scenario.name} cannot be played so: {reason}")
    if device is not None:
        _suited(scenario, device)
    return scenario


def _suited(scenario: Scenario, device: Path) -> None:
    """Refuse a device file that cannot be used, or that cannot play this scenario."""
    from host.devices.capture import load_profile  # registers, which help does not need
    from sim.device_fit import what_it_lacks

    try:
        lack = what_it_lacks(scenario, load_profile(str(device)))
    except DeviceFileError as error:
        raise InputError(str(error)) from None
    if lack:
        told = f"{device}: does not suit {scenario.name}: {lack}"
        raise InputError(f"{told}; take another device or another scenario")


def played(
    scenario: Scenario, *, seed: int, driver: DriverChoice = MODEL, laws: Sequence[Path] = ()
) -> RunResult:
    """One run in natural order, judged by these files' laws, too. Raises InputError as ``one_line``
    does, BuildError where the real driver cannot be built."""
    from sim.summary import summarise  # brings both sides and the engine: not for help

    with one_line(scenario):
        world = _world(scenario, driver, laws)
        return summarise(world, world.run(), seed)


def seen(scenario: Scenario, driver: DriverChoice = MODEL) -> tuple[SeenFunction, ...]:
    """What the guest sees once the scenario has ended. Raises InputError as ``one_line`` does.

    A run in which a violation was found raises FoundError: what was found is more urgent.
    """
    from sim.pci_view import guest_view  # as above

    with one_line(scenario):
        world = _world(scenario, driver)
        violation = world.run().violation
    if violation is not None:
        told = f"{violation.kind}: {violation.message}"
        raise FoundError(f"{scenario.name} ended in a violation, {told}; see vpcisim run")
    return guest_view(world)


def _world(scenario: Scenario, driver: DriverChoice, laws: Sequence[Path] = ()) -> World:
    """The world of a scenario; what no partition can be made of is an InputError."""
    from sim.oracles.laws import LAWS  # as above
    from sim.oracles.user_laws import load_laws
    from sim.world import World

    more = [law for path in laws for law in load_laws(path)]
    try:
        return World(scenario, laws=(*LAWS, *more), guests=driver.guests())
    except ValueError as error:
        raise InputError(f"{scenario.source}: {error}") from None


@contextmanager
def one_line(scenario: Scenario) -> Iterator[None]:
    """Turn devices and laws that cannot be used, and waits that come to nothing, into one line."""
    from sim.actors import UnplayedStep  # as above
    from sim.oracles.law import LawRaised
    from sim.oracles.user_laws import LawFileError

    try:
        yield
    except (LawFileError, LawRaised) as error:
        raise InputError(str(error)) from None
    except DeviceFileError as error:
        raise InputError(f"{_where(scenario, error.file)}{error}") from None
    except UnplayedStep as error:
        raise InputError(f"{scenario.source}: {error}") from None


def _where(scenario: Scenario, file: str) -> str:
    """The scenario's file and the key that names a capture; nothing for an option's."""
    for device in scenario.devices:
        if device.path and device.capture is not None and str(device.capture).startswith(file):
            return f"{scenario.source}: {device.path}.capture: "
    return ""
