# SPDX-License-Identifier: MIT
"""``vpcisim explore SCENARIO``: many orders of one scenario; what fails is saved as schedules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from sim.cli import FOUND, INTERRUPTED, OK
from sim.commands import calling
from sim.commands.asking import Asked, Wanted
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

Defects: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="ID", help="Give the driver this old bug back."),
]
Faults: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="What may go wrong, once at least."),
]
Strategy: TypeAlias = Annotated[
    str, typer.Option(metavar="NAME", help="How orders are chosen; portfolio: in all ways.")
]
Schedules: TypeAlias = Annotated[
    int, typer.Option(min=1, max=SCHEDULES_MAX, help="How many orders at most.")
]
Jobs: TypeAlias = Annotated[
    int, typer.Option(min=1, max=JOBS_MAX, help="Processes; the result is the same.")
]
Fine: TypeAlias = Annotated[
    bool, typer.Option("--fine", help="Stop also at points that seldom matter.")
]
Explain: TypeAlias = Annotated[
    bool, typer.Option("--explain", help="Say when in its order the failure was inevitable.")
]
Save: TypeAlias = Annotated[
    Path, typer.Option(metavar="DIR", help="Where schedules that fail are written.")
]


def application() -> typer.Typer:
    return calling.application(explore_scenario)


def explore_scenario(
    scenario: ScenarioName,
    defect: Defects = None,
    fault: Faults = None,
    strategy: Strategy = "portfolio",
    schedules: Schedules = SCHEDULES,
    seed: Seed = 0,
    jobs: Jobs = 1,
    fine: Fine = False,
    explain: Explain = False,
    save: Save = SAVE,
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
    named = (defect or (), fault or (), law or ())
    wanted = Wanted(choice, protocol, profile, device, *named, fine)
    asked = Asked(strategy, schedules, seed=seed, jobs=jobs, save=save, explain=explain)
    return _explored(scenario, wanted, asked, as_json=as_json)


def _explored(name: str, wanted: Wanted, asked: Asked, *, as_json: bool) -> int:
    ready = prepared(
        name,
        protocol=wanted.protocol,
        profile=wanted.profile,
        device=wanted.device,
        driver=wanted.driver,
    )
    from sim.commands.exploring import carried_out, check_folders, setup_of  # the engine
    from sim.explore.strategies import STRATEGIES

    choose(asked.strategy, STRATEGIES, "strategy")
    coverage = wanted.driver.coverage
    check_folders({"--save": asked.save, "--coverage": coverage})
    setup = setup_of(name, ready, wanted)
    # What run refuses, this refuses too.
    played(ready, seed=asked.seed, driver=wanted.driver, laws=wanted.laws)
    with one_line(ready):
        done = carried_out(setup, asked, coverage)
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
