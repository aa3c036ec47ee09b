# SPDX-License-Identifier: MIT
"""``vpcisim lspci SCENARIO``: what the guest sees at the end, as ``lspci -vvv -xxxx`` prints it."""

from __future__ import annotations

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, InputError, print_json
from sim.commands.driver_choice import Driver, DriverChoice, DriverFile, Tree
from sim.commands.playing import Device, Profile, Protocol, ScenarioName, prepared, seen
from sim.report.lspci import print_function, print_functions


def application() -> typer.Typer:
    return calling.application(list_functions)


def list_functions(
    scenario: ScenarioName,
    protocol: Protocol = None,
    profile: Profile = None,
    device: Device = None,
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    as_json: AsJson = False,
) -> None:
    """Print what the guest sees at the end of a scenario; lspci -F reads it.

    Exit status 2 if no device is left.

    Example: vpcisim lspci arrival --device nic.txt
    """
    choice = DriverChoice(driver, tree, driver_file)
    ready = prepared(scenario, protocol=protocol, profile=profile, device=device, driver=choice)
    functions = seen(ready, choice)
    if not functions:
        raise InputError(f"no device is left at the end of {ready.name}; take another scenario")
    if as_json:
        print_json([{"address": str(f.address), "text": print_function(f)} for f in functions])
    else:
        print(print_functions(functions), end="")
