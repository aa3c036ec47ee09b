# SPDX-License-Identifier: MIT
"""``vpcisim bench conformance``: what the whole suite costs against our own peers."""

from __future__ import annotations

import typer

from sim.commands import calling
from sim.commands.calling import AsJson, print_json


def application() -> typer.Typer:
    return calling.application(bench_conformance)


def bench_conformance(as_json: AsJson = False) -> None:
    """Measure the whole suite in one process, against our host and the reference guest.

    The unit of cost is a timeout of bare simpy, measured in the same run.

    Example: vpcisim bench conformance --json
    """
    from sim.bench.conformance import measure  # brings the engine

    rows = measure()
    if as_json:
        print_json(rows)
        return
    print(f"{'peer':<28}{'runs':>6}{'failed':>8}{'timeouts':>14}")
    for row in rows:
        print(f"{row['peer']:<28}{row['runs']:>6}{row['failed']:>8}{row['timeouts']:>14,.0f}")
    print(f"{'together':<28}{'':>14}{sum(row['timeouts'] for row in rows):>14,.0f}")
