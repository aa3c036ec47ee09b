# SPDX-License-Identifier: MIT
"""``vpcisim run SCENARIO``: one run in natural order, its messages, its end and its verdict."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from sim.cli import FOUND, OK
from sim.commands import calling
from sim.commands.calling import AsJson, Seed, print_json, unwritable
from sim.commands.driver_choice import DataRaces, Driver, DriverChoice, DriverFile, Tree
from sim.commands.playing import (
    Device,
    Laws,
    Profile,
    Protocol,
    ScenarioName,
    played,
    prepared,
)
from sim.report.lanes import print_lanes
from sim.result import RunResult
from sim.trace import write_trace

# What a trace file's first line says of its run, and what --json prints first.
ABOUT: Final = ("scenario", "driver", "seed", "protocol", "profile")
LINES_MAX: Final = 8  # of one kind in the summary
OUTCOME: Final = ("verdict", "violation", "known", "explained", "errors")


def application() -> typer.Typer:
    return calling.application(run_scenario)


def run_scenario(
    scenario: ScenarioName,
    protocol: Protocol = None,
    profile: Profile = None,
    device: Device = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every event here, as JSON lines.")
    ] = None,
    driver: Driver = "model",
    tree: Tree = None,
    driver_file: DriverFile = None,
    data_races: DataRaces = False,
    law: Laws = None,
    seed: Seed = 0,
    as_json: AsJson = False,
) -> int:
    """Play one scenario in natural order and show what happened.

    Exit status 1 if a violation was found.

    Example: vpcisim run eject-in-use --protocol 1.3
    """
    choice = DriverChoice(driver, tree, driver_file, data_races)
    ready = prepared(scenario, protocol=protocol, profile=profile, device=device, driver=choice)
    result = played(ready, seed=seed, driver=choice, laws=law or ())
    if trace is not None:
        write(trace, result)
    if as_json:
        print_json(as_document(result))
    else:
        print_lanes(result.trace, sys.stdout)
        print("\n".join(("", *summary(result))))
    return FOUND if result.violation else OK


def as_document(result: RunResult) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        **{name: getattr(result, name) for name in (*ABOUT, *OUTCOME)},
        "messages": result.messages,
        "final": result.final,
        "ended_at_ns": result.ended_at_ns,
    }


def summary(result: RunResult) -> Iterator[str]:
    """The end of a run in a few lines."""
    yield (
        f"{result.scenario}: protocol {result.protocol or 'none'}, profile {result.profile},"
        f" {len(result.messages)} messages, ended at {result.ended_at_ns / 1e6:,.3f} ms"
    )
    yield from _few("bus", [f"{bus}: {state}" for bus, state in result.final.bus_state.items()])
    yield from _few(
        "device",
        [
            " ".join(f"{name}={value}" for name, value in device.items())
            for device in result.final.devices
        ],
    )
    for error in result.errors:
        yield f"error    {error.function} returned {error.errno}"
    for leak in result.final.leaks:
        yield f"leak     {leak.count} {leak.what}" + (
            f", known as {leak.known}" if leak.known else ""
        )
    for what, found in (("violation", result.violation), ("known", result.explained)):
        if found is not None:
            yield f"{what:<8} {found.kind} in {found.context}: {found.message} ({found.law})"
    yield f"verdict  {result.verdict}" + (f": {', '.join(result.known)}" if result.known else "")


def _few(what: str, lines: list[str]) -> Iterator[str]:
    """A list for people: where it is long, its end is a number (--json has all of it)."""
    shown = lines if len(lines) <= LINES_MAX else lines[: LINES_MAX - 1]
    yield from (f"{what:<9}{line}" for line in shown)
    if len(shown) < len(lines):
        yield f"{what:<9}and {len(lines) - len(shown)} more"


def write(path: Path, result: RunResult) -> None:
    about = {name: getattr(result, name) for name in ABOUT}
    try:
        write_trace(path, about, result.trace)
    except OSError as error:
        raise unwritable(path, error) from None
