# SPDX-License-Identifier: MIT
"""``vpcisim kernel build``: the real driver of a Linux tree, built for user space and kept."""

from __future__ import annotations

import typer

from guest.native.build import build
from guest.native.keeping import cache_folder
from sim.commands import calling
from sim.commands.calling import AsJson, print_json
from sim.commands.driver_choice import DriverFile, NeededTree
from sim.report.kernel import build_dict, build_lines
from sim.report.progress import steps_of


def application() -> typer.Typer:
    return calling.application(build_driver)


def build_driver(
    tree: NeededTree,
    driver_file: DriverFile = None,
    as_json: AsJson = False,
) -> None:
    """Build the real driver out of a Linux tree, unmodified, for --driver kernel.

    Exit status 3 if the machine or the tree lacks something, with the remedy.

    Example: vpcisim kernel build --tree linux --driver-file pci-hyperv.c
    """
    with steps_of() as progress:
        built = build(tree, cache=cache_folder(), driver_file=driver_file, progress=progress)
    if as_json:
        print_json(build_dict(built))
    else:
        print("\n".join(build_lines(built)))
