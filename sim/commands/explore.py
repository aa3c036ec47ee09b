# SPDX-License-Identifier: MIT
"""``vpcisim explore SCENARIO``: many orders of one scenario; what fails is saved as schedules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.commands import calling
from sim.commands.calling import AsJson, Seed, choose, print_json
from sim.commands.driver_choice import (
    Coverage,
    DataRaces,
    Driver,
    DriverChoice,
    DriverFile,
    Tree,
)
from sim.commands.playing import (
    Device,
    Laws,
    Profile,
    Protocol,
    ScenarioName,
    one_line,
    played,
    prepared,
)
from sim.explore.limits import JOBS_MAX, SCHEDULES_MAX
from sim.report.lanes import encodable

if TYPE_CHECKING:
    from sim.commands.exploring import Done
    from sim.setup import Setup

SCHEDULES: Final = 2_000
SAVE: Final = Path("vpcisim-schedules")


def application() -> typer.Typer:
    return calling.application(explore_scenario)


def explore_scenario(
    scenario: ScenarioName,
    defect: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Give the driver this old bug back.")
    ] = None,
    fault: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="What may go wrong, once at least.")
    ] = None,
    strategy: Annotated[
        str, typer.Option(metavar="NAME", help="How orders are chosen; portfolio: in all ways.")
    ] = "portfolio",
    schedules: Annotated[
        int, typer.Option(min=1, max=SCHEDULES_MAX, help="How many orders at most.")
    ] = SCHEDULES,
    seed: Seed = 0,
    jobs: Annotated[
        int, typer.Option(min=1, max=JOBS_MAX, help="Processes; the result is the same.")
    ] = 1,
    fine: Annotated[
        bool, typer.Option("--fine", help="Stop also at points that seldom matter.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say when in its order the failure was inevitable.")
    ] = False,
    save: Annotated[
        Path, typer.Option(metavar="DIR", help="Where schedules that fail are written.")
    ] = SAVE,
    law: Laws = None,
    protocol: Protocol = None,
    profile: Profile = None,
    device: Device = None,
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    data_races: DataRaces = False,
    coverage: Coverage = None,
    as_json: AsJson = False,
) -> int:
    """Play many orders of one scenario; save one for each way in which the driver breaks.

    Exit status 1 if it does, even when interrupted.

    Example: vpcisim explore eject-during-probe --defect eject-before-root-bus
    """
    choice = DriverChoice(driver, tree, driver_file, data_races, coverage)
    ready = prepared(scenario, protocol=protocol, profile=profile, device=device, driver=choice)
    from sim.commands.exploring import Asked, carried_out, check_folders, setup_of  # the engine
    from sim.explore.strategies import STRATEGIES

    choose(strategy, STRATEGIES, "strategy")
    check_folders({"--save": save, "--coverage": coverage})
    setup = setup_of(
        scenario,
        ready,
        protocol=protocol,
        profile=profile,
        device=device,
        driver=choice,
        defects=defect or [],
        faults=fault or [],
        laws=law or [],
        fine=fine,
    )
    played(ready, seed=seed, driver=choice, laws=law or [])  # what run refuses, this refuses too
    with one_line(ready):
        done = carried_out(
            setup,
            Asked(strategy, schedules, seed=seed, jobs=jobs, save=save, explain=explain),
            coverage,
        )
    _print(setup, ready.name, done, as_json=as_json)
    return FOUND if done.kept else INTERRUPTED if done.result.cut_short else OK


def _print(setup: Setup, name: str, done: Done, *, as_json: bool) -> None:
    from sim.report.exploration import closing_lines, document, kept_lines

    if as_json:
        print_json(document(setup, name, done.result, done.kept) | done.coverage.document)
        return
    lines = [line for one in done.kept for line in kept_lines(one)]
    for line in (*lines, *done.coverage.lines, *closing_lines(done.result)):
        print(encodable(line, sys.stdout.encoding))
