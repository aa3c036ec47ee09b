# SPDX-License-Identifier: MIT
"""``vpcisim kernel info``: what a driver is built from, and whether it has been."""

from __future__ import annotations

import typer

from guest.native.build import find_build
from guest.native.keeping import cache_folder
from sim.commands import calling
from sim.commands.calling import AsJson, print_json
from sim.commands.driver_choice import DriverFile, NeededTree
from sim.report.kernel import found_dict, found_lines


def application() -> typer.Typer:
    return calling.application(tell_of_driver)


def tell_of_driver(
    tree: NeededTree,
    driver_file: DriverFile = None,
    as_json: AsJson = False,
) -> None:
    """Tell what a driver is built from and whether it has been; compiles nothing.

    Example: vpcisim kernel info --tree linux --json
    """
    found = find_build(tree, cache=cache_folder(), driver_file=driver_file)
    if as_json:
        print_json(found_dict(tree, found))
    else:
        print("\n".join(found_lines(found)))
