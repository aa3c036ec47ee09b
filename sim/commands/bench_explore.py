# SPDX-License-Identifier: MIT
"""``vpcisim bench explore``: what a schedule costs under each strategy."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from sim.commands import calling
from sim.commands.asking import Wanted
from sim.commands.calling import AsJson, Seed, print_json
from sim.commands.driver_choice import DataRaces, Driver, DriverChoice, DriverFile, Tree
from sim.commands.playing import prepared


def application() -> typer.Typer:
    return calling.application(bench_explore)


def bench_explore(
    scenario: Annotated[
        str, typer.Option(metavar="SCENARIO", help="The name of a built-in, or a file.")
    ] = "eject-during-probe",
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    data_races: DataRaces = False,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure what a schedule costs under each strategy, as explore runs it, and what a second
    process brings.

    The unit of cost is a timeout of bare simpy, measured in the same run.

    Example: vpcisim bench explore --scenario eject-in-use
    """
    choice = DriverChoice(driver, tree, driver_file, data_races)
    ready = prepared(scenario, protocol=None, profile=None, device=None, driver=choice)
    from sim.bench.explore import measure  # brings both sides and the engine
    from sim.commands.exploring import setup_of

    setup = setup_of(scenario, ready, Wanted(choice))
    rows = measure(setup, scenario=ready.name, seed=seed)
    if as_json:
        print_json(rows)
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    print(f"{'strategy':<12}{'schedules/s':>12}{'timeouts each':>15}{'two jobs':>10}")
    for row in rows:
        print(
            f"{row['strategy']:<12}{row['schedules_per_s']:>12,.0f}"
            f"{row['timeouts_per_schedule']:>15,.0f}{row['two_jobs_ratio']:>9.2f}x"
        )
    (delays,) = (row for row in rows if "pass_schedules" in row)
    print(
        f"the pass over single delays: {delays['pass_schedules']:,} schedules,"
        f" {delays['pass_timeouts']:,.0f} timeouts"
    )
