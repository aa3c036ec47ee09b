# SPDX-License-Identifier: MIT
"""``vpcisim bench codec``: the derived codec beside construct's compiled one."""

from __future__ import annotations

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, print_json


def application() -> typer.Typer:
    return calling.application(bench_codec)


def bench_codec(as_json: AsJson = False) -> None:
    """Measure parsing and building, derived and by construct, in the same run.

    Example: vpcisim bench codec --json
    """
    from sim.bench.codec import rows  # brings simpy and construct, which help does not need

    measured = rows()
    if as_json:
        print_json(measured)
        return
    print(f"{'structure':<34}{'bytes':>6}{'parse/s':>12}{'faster':>8}{'build/s':>12}{'faster':>8}")
    for row in measured:
        parse, build = row["derived_parse_per_s"], row["derived_build_per_s"]
        print(
            f"{row['struct']:<34}{row['size']:>6}"
            f"{parse:>12,.0f}{parse / row['construct_parse_per_s']:>7.1f}x"
            f"{build:>12,.0f}{build / row['construct_build_per_s']:>7.1f}x"
        )
    print(f"one simpy timeout: {1e9 / measured[0]['simpy_timeouts_per_s']:,.0f} ns")
