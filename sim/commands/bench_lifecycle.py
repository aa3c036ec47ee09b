# SPDX-License-Identifier: MIT
"""``vpcisim bench lifecycle``: what a device's life costs, one at a time and many at once."""

from __future__ import annotations

from typing import Annotated, Any, Final

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, InputError, Seed, choose, print_json
from sim.scenario_grammar import DEVICES_MAX

CYCLES: Final = ("life", "suspend")
# What one of them is called, and many.
_WORDS: Final = {"life": ("a life", "lives"), "suspend": ("a suspend and resume", "cycles")}


def application() -> typer.Typer:
    return calling.application(bench_lifecycle)


def bench_lifecycle(
    devices: Annotated[
        str | None,
        typer.Option(
            metavar="N,…", help="How many devices at once; 10,100,1000,2000, or 1,10,100,500."
        ),
    ] = None,
    cycle: Annotated[
        str, typer.Option(metavar="NAME", help="What is measured: life or suspend.")
    ] = "life",
    seed: Seed = 0,
    as_json: AsJson = False,
) -> None:
    """Measure a device's life: offer, whole scan, eight interrupts, eject, rescind.

    With --cycle suspend, what its part of a hibernation costs. The unit of cost is a timeout of
    bare simpy, measured in the same run.

    Example: vpcisim bench lifecycle --devices 10,100
    """
    choose(cycle, CYCLES, "cycle")
    counts = None if devices is None else [_count(word) for word in devices.split(",")]
    from sim.bench import lifecycle, suspend  # bring the engine

    bench = suspend if cycle == "suspend" else lifecycle
    measured = bench.measure(bench.DEFAULT_DEVICES if counts is None else counts)
    if as_json:
        print_json({**measured, "seed": seed})
        return
    _print(measured, cycle)


def _print(measured: dict[str, Any], cycle: str) -> None:
    one, many = _WORDS[cycle]
    print(
        f"{one} costs {measured['timeouts_per_lifecycle']:,.0f} timeouts of bare simpy"
        f" ({measured['lifecycles_per_s']:,.0f} {many}/s),"
        f" {measured['messages']:,.0f} messages,"
        f" {measured['config_accesses']:,.0f} configuration accesses"
    )
    print(f"{'devices at once':>16}{'us each':>12}{'bytes each':>12}")
    for row in measured["by_devices"]:
        print(
            f"{row['devices']:>16,}{row['seconds_per_device'] * 1e6:>12,.0f}"
            f"{row['bytes_per_device']:>12,.0f}"
        )


def _count(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= DEVICES_MAX:
        raise InputError(f"--devices {word!r}: must be a number from 1 to {DEVICES_MAX}")
    return int(word)
