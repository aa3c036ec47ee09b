# SPDX-License-Identifier: MIT
"""``vpcisim devices``: the built-in device profiles."""

from __future__ import annotations

import typer

from host.devices import PROFILES
from sim.commands import calling
from sim.commands.calling import AsJson, print_json
from sim.report.devices import device_dict, device_line


def application() -> typer.Typer:
    return calling.application(list_devices)


def list_devices(as_json: AsJson = False) -> None:
    """List the built-in device profiles.

    Example: vpcisim devices --json
    """
    if as_json:
        print_json([device_dict(profile) for profile in PROFILES.values()])
        return
    width = max(map(len, PROFILES))
    for name, profile in PROFILES.items():
        print(f"{name:<{width}}  {device_line(profile)}")
